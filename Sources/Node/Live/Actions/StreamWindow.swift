import NIOCore

/// Decides what of a streamed answer goes to a socket, and when (SPEC AC-10): cut into chunks, never more than a few of them
/// unacknowledged, and the source asked for more only when the next chunk may go. Owns no source, socket, timer or clock.
struct StreamWindow {
    /// Bytes of a chunk, and chunks that may be under way.
    static let chunkBytes = 65_536
    static let chunks = 8

    enum Step: Equatable {
        /// Ask the source; say what came with ``pulled(_:)``, ``ended()`` or ``failed()``.
        case pull
        case send(number: Int, ByteBuffer)
        /// The last chunk, without bytes. The stream is over.
        case end(number: Int)
        /// The source failed: the client is told in place of the end. The stream is over.
        case fail(number: Int)
        /// Nothing to do until the source or the client says something.
        case wait
    }

    private enum Source {
        case idle, pulling, ended, failed
    }

    private var source = Source.idle
    private var pending = ByteBuffer()
    private var sent = 0
    private var acknowledged = 0
    /// Since when the client holds it up.
    private var fullSince: NIODeadline?
    private(set) var isOver = false

    /// Ask again until it says ``Step/wait``.
    mutating func next(at now: NIODeadline) -> Step {
        guard !self.isOver else { return .wait }
        let isFull = self.sent - self.acknowledged >= Self.chunks
        if self.pending.readableBytes > 0 {
            guard !isFull else { return .wait }
            let count = min(self.pending.readableBytes, Self.chunkBytes)
            guard let bytes = self.pending.readSlice(length: count) else {
                preconditionFailure("the bytes were counted")
            }
            let number = self.sent
            self.sent += 1
            if self.sent - self.acknowledged >= Self.chunks { self.fullSince = now }
            return .send(number: number, bytes)
        }
        switch self.source {
        case .ended:
            self.isOver = true
            return .end(number: self.sent)
        case .failed:
            self.isOver = true
            return .fail(number: self.sent)
        case .pulling: return .wait
        case .idle:
            guard !isFull else { return .wait }
            self.source = .pulling
            return .pull
        }
    }

    /// - Parameter piece: of any size; an empty one only has the source asked again.
    mutating func pulled(_ piece: ByteBuffer) {
        guard self.source == .pulling else { preconditionFailure("nothing was asked for") }
        self.source = .idle
        self.pending = piece
    }

    mutating func ended() { self.close(.ended) }

    mutating func failed() { self.close(.failed) }

    private mutating func close(_ how: Source) {
        guard self.source == .pulling else { preconditionFailure("nothing was asked for") }
        self.source = how
    }

    /// The client has everything up to this chunk.
    /// - Returns: false for one that was never sent.
    mutating func acknowledge(through number: Int) -> Bool {
        guard (0..<self.sent).contains(number) else { return false }
        self.acknowledged = max(self.acknowledged, number + 1)
        if self.sent - self.acknowledged < Self.chunks { self.fullSince = nil }
        return true
    }

    /// Nobody is there any more, or wants it.
    mutating func stop() {
        self.isOver = true
        self.fullSince = nil
        self.pending = ByteBuffer()
    }

    /// The number of a chunk that says why the stream is over.
    var lastNumber: Int { self.sent }

    /// When a client that acknowledges nothing is given up; nil while it is the source's turn.
    func stallDeadline(_ limit: TimeAmount) -> NIODeadline? {
        self.isOver ? nil : self.fullSince.map { $0 + limit }
    }
}
