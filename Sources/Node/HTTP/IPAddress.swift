package import NIOCore
package import Routing

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// An IPv4 or IPv6 address. A mapped IPv4 address (`::ffff:192.0.2.1`) is the IPv4 address.
package struct IPAddress: Sendable, Hashable {
    /// Network order; 4 or 16 bytes.
    private let bytes: [UInt8]

    package init?(_ text: some StringProtocol) {
        guard text.utf8.count <= 45 else { return nil }
        let text = String(text)
        var four = in_addr()
        if inet_pton(AF_INET, text, &four) == 1 {
            self.init(network: withUnsafeBytes(of: &four) { Array($0) })
            return
        }
        var six = in6_addr()
        guard inet_pton(AF_INET6, text, &six) == 1 else { return nil }
        self.init(network: withUnsafeBytes(of: &six) { Array($0) })
    }

    /// - Returns: nil for a Unix socket.
    package init?(_ socket: SocketAddress) {
        switch socket {
        case .v4(let socket): self.init(network: withUnsafeBytes(of: socket.address.sin_addr) { Array($0) })
        case .v6(let socket): self.init(network: withUnsafeBytes(of: socket.address.sin6_addr) { Array($0) })
        case .unixDomainSocket: return nil
        }
    }

    /// - Parameter bytes: in network order; 4 or 16.
    private init(network bytes: [UInt8]) {
        let isMapped =
            bytes.count == 16 && bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
        self.bytes = isMapped ? Array(bytes[12...]) : bytes
    }

    package var key: AddressKey { AddressKey(self.bytes) }

    package var isIPv6: Bool { self.bytes.count == 16 }

    package var isLoopback: Bool {
        self.isIPv6 ? self.bytes.dropLast().allSatisfy { $0 == 0 } && self.bytes[15] == 1 : self.bytes[0] == 127
    }

    package var text: String {
        guard self.isIPv6 else {
            let longest = 15
            return String(unsafeUninitializedCapacity: longest) { text in
                var count = 0
                for byte in self.bytes {
                    if count > 0 { Self.append(UInt8(ascii: "."), to: text, &count) }
                    if byte >= 100 { Self.append(0x30 + byte / 100, to: text, &count) }
                    if byte >= 10 { Self.append(0x30 + byte / 10 % 10, to: text, &count) }
                    Self.append(0x30 + byte % 10, to: text, &count)
                }
                return count
            }
        }
        var buffer = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        guard inet_ntop(AF_INET6, self.bytes, &buffer, socklen_t(buffer.count)) != nil else {
            preconditionFailure("the buffer holds every address")
        }
        return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    private static func append(_ digit: UInt8, to text: UnsafeMutableBufferPointer<UInt8>, _ count: inout Int) {
        text[count] = digit
        count += 1
    }

    /// A block of addresses, `10.0.0.0/8` or a single address.
    package struct Block: Sendable, Hashable {
        private let address: IPAddress
        private let length: Int

        package init?(_ text: String) {
            let parts = text.split(separator: "/", omittingEmptySubsequences: false)
            guard let address = IPAddress(parts[0]), parts.count <= 2 else { return nil }
            let width = address.bytes.count * 8
            guard let length = parts.count == 2 ? Int(parts[1]) : width, (0...width).contains(length) else {
                return nil
            }
            self.address = address
            self.length = length
        }

        package func contains(_ other: IPAddress) -> Bool {
            guard other.bytes.count == self.address.bytes.count else { return false }
            for bit in stride(from: 0, to: self.length, by: 8) {
                let mask = self.length - bit >= 8 ? 0xFF : UInt8(truncatingIfNeeded: 0xFF00 >> (self.length - bit))
                guard (other.bytes[bit / 8] ^ self.address.bytes[bit / 8]) & mask == 0 else { return false }
            }
            return true
        }
    }
}
