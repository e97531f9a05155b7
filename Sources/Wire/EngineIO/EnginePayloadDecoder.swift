/// Takes the packets out of the body of a polling POST (or of a poll's answer), lazily and in order (SOCKETIO §3.2).
package struct EnginePayloadDecoder {
    private static let separator: UInt8 = 0x1E

    private let body: UnsafeRawBufferPointer
    private let maxPackets: Int
    private var position = 0
    private var count = 0
    private var isFinished = false

    /// - Parameters:
    ///   - body: the whole body, borrowed as long as the decoder is used.
    ///   - maxPackets: packets of one payload (SOCKETIO §18); the one above is `invalid`.
    package init(_ body: UnsafeRawBufferPointer, maxPackets: Int = 16_384) {
        self.body = body
        self.maxPackets = maxPackets
    }

    /// Whether the payload had more packets than it may.
    package var isOverfull: Bool { self.count > self.maxPackets }

    /// - Returns: the next packet; `invalid` once, for the first thing that is none (an empty body is invalid too);
    ///   nil at the end and after `invalid`.
    package mutating func next(scratch: ScratchBuffer) -> EnginePacket? {
        guard !self.isFinished else { return nil }
        self.count += 1
        var end = self.position
        while end < self.body.count, self.body[end] != Self.separator { end += 1 }
        let text = UnsafeRawBufferPointer(rebasing: self.body[self.position..<end])
        self.position = end + 1
        self.isFinished = end == self.body.count
        guard self.count <= self.maxPackets, UTF8Validation.isValid(text) else { return self.fail() }
        let packet = EnginePacket.parse(text: text, scratch: scratch)
        if case .invalid = packet { return self.fail() }
        return packet
    }

    private mutating func fail() -> EnginePacket {
        self.isFinished = true
        return .invalid
    }
}
