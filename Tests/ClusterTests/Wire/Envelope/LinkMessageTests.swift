import NIOCore
import Testing
import Wire

/// SPEC ND-6, OP-4: the payloads of `peer`, `roster` and `link` survive encoding, and nothing else is taken.
@Suite struct LinkMessageTests {
    static let signals = [
        PeerSignal(to: "sid", client: nil, address: nil, packet: ByteBuffer(string: #"2["peer",{}]"#)),
        PeerSignal(
            to: "sid", client: "phone", address: .init(token: "t", from: "f", sender: "localhost/alice"),
            isForwarded: true, packet: ByteBuffer()),
    ]
    static let rosters = [
        PeerRoster(
            change: .here, token: "token", generation: 7, label: ByteBuffer(string: "{}"), recipients: ["a", "b"],
            peers: [.init(socket: "c", endpoint: "d"), .init(socket: "e", endpoint: "")]),
        PeerRoster(change: .gone, token: "", generation: -1, label: ByteBuffer(), recipients: [], peers: []),
    ]
    static let notices =
        [
            LinkNotice(token: "token", client: nil, closed: nil),
            LinkNotice(token: "token", client: "phone", closed: nil),
        ]
        + LinkCloseReason.allCases.map { LinkNotice(token: "", client: nil, closed: $0) }

    @Test(arguments: Self.signals) func signal(_ signal: PeerSignal) throws {
        let bytes = try signal.encode()
        #expect(try PeerSignal.decode(bytes) == signal)
        Self.isStrict(bytes) { try PeerSignal.decode($0) }
    }

    @Test(arguments: Self.rosters) func roster(_ roster: PeerRoster) throws {
        let bytes = try roster.encode()
        #expect(try PeerRoster.decode(bytes) == roster)
        Self.isStrict(bytes) { try PeerRoster.decode($0) }
    }

    @Test(arguments: Self.notices) func notice(_ notice: LinkNotice) throws {
        let bytes = try notice.encode()
        #expect(try LinkNotice.decode(bytes) == notice)
        Self.isStrict(bytes) { try LinkNotice.decode($0) }
    }

    /// Every prefix, an extra byte, another version, and unknown flags or codes are refused.
    private static func isStrict<Payload>(_ bytes: ByteBuffer, _ decode: (ByteBuffer) throws -> Payload) {
        for length in 0..<bytes.readableBytes {
            #expect(throws: EnvelopeError.self) { try decode(bytes.getSlice(at: 0, length: length) ?? bytes) }
        }
        var longer = bytes
        longer.writeInteger(UInt8(0))
        #expect(throws: EnvelopeError.trailingBytes) { try decode(longer) }
        var other = bytes
        other.setInteger(UInt8(2), at: 0)
        #expect(throws: EnvelopeError.unknownVersion(2)) { try decode(other) }
        other = bytes
        other.setInteger(UInt8(0xF8), at: 1)
        #expect(throws: EnvelopeError.self) { try decode(other) }
    }

    @Test("What is too large for an envelope is refused before it is queued")
    func sizes() {
        let large = ByteBuffer(repeating: 0, count: BusMessage.maximumSize)
        #expect(throws: EnvelopeError.messageTooLarge) {
            try PeerSignal(to: "", client: nil, address: nil, packet: large).encode()
        }
        #expect(throws: EnvelopeError.messageTooLarge) {
            try PeerRoster(change: .here, token: "", generation: 0, label: large, recipients: [], peers: []).encode()
        }
    }
}
