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
            self.bytes = withUnsafeBytes(of: &four) { Array($0) }
            return
        }
        var six = in6_addr()
        guard inet_pton(AF_INET6, text, &six) == 1 else { return nil }
        let bytes = withUnsafeBytes(of: &six) { Array($0) }
        let isMapped = bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
        self.bytes = isMapped ? Array(bytes[12...]) : bytes
    }

    package var key: AddressKey { AddressKey(self.bytes) }

    package var isIPv6: Bool { self.bytes.count == 16 }

    package var isLoopback: Bool {
        self.isIPv6 ? self.bytes.dropLast().allSatisfy { $0 == 0 } && self.bytes[15] == 1 : self.bytes[0] == 127
    }

    package var text: String {
        var buffer = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        let family = self.isIPv6 ? AF_INET6 : AF_INET
        guard inet_ntop(family, self.bytes, &buffer, socklen_t(buffer.count)) != nil else {
            preconditionFailure("the buffer holds every address")
        }
        return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
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
