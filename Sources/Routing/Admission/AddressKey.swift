/// The address that limits per address are counted for, in eight bytes: an IPv4 address, or the /64 of an IPv6 address,
/// for that is what one customer has.
package struct AddressKey: Hashable, Sendable {
    /// Multicast, which no client has as its address: IPv4 addresses lie there.
    private static let version4: UInt64 = 0xFF00 << 48

    private let bits: UInt64

    private init(bits: UInt64) { self.bits = bits }

    /// Nobody's: what belongs to it is not counted.
    package static let none = AddressKey(bits: 0)

    /// - Parameter bytes: an address in network order, 4 or 16 bytes.
    package init(_ bytes: some Collection<UInt8>) {
        precondition(bytes.count == 4 || bytes.count == 16, "an IPv4 or an IPv6 address")
        let prefix = bytes.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        // ::/64 has the loopback address, and nobody has ::1:0:0:0:0/64.
        self.bits = bytes.count == 4 ? Self.version4 | prefix : max(prefix, 1)
    }
}
