/// The public ID of one connection, SID: its node, a dot, 128 random bits (SPEC LC-6). Differs from the Engine.IO session
/// ID, which is a credential.
package struct SocketID: Hashable, Sendable {
    package let node: NodeID
    private let high: UInt64
    private let low: UInt64

    /// Length of ``text``.
    package static let textLength = NodeID.textLength + 1 + 22

    package static func random(on node: NodeID) -> SocketID {
        var generator = SystemRandomNumberGenerator()
        return self.random(on: node, using: &generator)
    }

    /// - Parameter generator: of the system's random numbers.
    package static func random(on node: NodeID, using generator: inout some RandomNumberGenerator) -> SocketID {
        SocketID(node: node, high: generator.next(), low: generator.next())
    }

    package init(node: NodeID, high: UInt64, low: UInt64) {
        self.node = node
        self.high = high
        self.low = low
    }

    package init?(_ text: String) {
        var text = text
        let found = text.withUTF8 { bytes -> SocketID? in
            guard bytes.count == Self.textLength, let node = NodeID(digits: bytes[..<NodeID.textLength]),
                bytes[NodeID.textLength] == UInt8(ascii: "."),
                let value = Base64URL.value128(bytes[(NodeID.textLength + 1)...])
            else { return nil }
            return SocketID(node: node, high: UInt64(value >> 64), low: UInt64(truncatingIfNeeded: value))
        }
        guard let found else { return nil }
        self = found
    }

    /// The random part.
    package var random: UInt128 { UInt128(self.high) << 64 | UInt128(self.low) }

    /// Names a take-over in a route document (``RouteDocument/Recovery/take``): half of the random bits, not negative.
    package var token: Int64 { Int64(self.low >> 1) }

    package var text: String { self.node.text + "." + Base64URL.text(self.high, self.low) }
}

extension SocketID: CustomStringConvertible {
    package var description: String { self.text }
}
