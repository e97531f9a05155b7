internal import NIOPosix

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The system's resolver, all addresses of a name.
enum HostResolver {
    struct Failure: Error, CustomStringConvertible {
        let host: String
        let code: Int32
        var description: String { "\(self.host) cannot be resolved: \(String(cString: gai_strerror(self.code)))" }
    }

    /// Blocks a thread of a pool, not the caller's.
    @Sendable static func addresses(of host: String) async throws -> [String] {
        try await NIOThreadPool.singleton.runIfActive { try self.lookUp(host) }
    }

    private static func lookUp(_ host: String) throws(Failure) -> [String] {
        var hints = addrinfo()
        // One entry per address, not one for each kind of socket as well.
        hints.ai_socktype = self.streamSocket
        var first: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, nil, &hints, &first)
        guard code == 0, let first else { throw Failure(host: host, code: code) }
        defer { freeaddrinfo(first) }
        var addresses: [String] = []
        for entry in sequence(first: first, next: { $0.pointee.ai_next }) {
            guard let address = entry.pointee.ai_addr else { continue }
            var text = [CChar](repeating: 0, count: 64)
            guard
                getnameinfo(
                    address, entry.pointee.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0
            else { continue }
            addresses.append(String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self))
        }
        return addresses
    }

    private static var streamSocket: Int32 {
        #if canImport(Glibc)
        Int32(SOCK_STREAM.rawValue)
        #else
        SOCK_STREAM
        #endif
    }
}
