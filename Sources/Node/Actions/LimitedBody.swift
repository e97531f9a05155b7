internal import NIOCore

/// A body that is read up to a limit (SPEC AC-5).
struct LimitedBody: Sendable {
    private enum Source: Sendable {
        /// Behind its only piece: nil.
        case bytes(ByteBuffer?)
        case stream(any ActionBodySource)
    }

    private var source: Source
    private let limit: Int
    /// Bytes in all, where they are known.
    let length: Int?
    /// Bytes so far.
    private(set) var count = 0

    init(_ body: ActionCall.Body, limit: Int) {
        self.limit = limit
        switch body {
        case .none: (self.source, self.length) = (.bytes(nil), 0)
        case .bytes(let bytes): (self.source, self.length) = (.bytes(bytes), bytes.readableBytes)
        case .stream(let source): (self.source, self.length) = (.stream(source), source.length)
        }
    }

    /// - Returns: nil at the end.
    mutating func next(
        _ patience: ActionBodyPatience, _ hit: @Sendable (Limit) -> Void
    ) async throws(ActionError) -> ByteBuffer? {
        // What says that it is too long is not read.
        if let length = self.length, length > self.limit { throw self.tooLarge(hit) }
        let piece: ByteBuffer?
        switch self.source {
        case .bytes(let bytes):
            self.source = .bytes(nil)
            piece = bytes
        case .stream(let source):
            do {
                piece = try await source.next(patience)
            } catch {
                switch error {
                case .slow: throw .slowBody
                case .broken, .over: throw .badRequest
                }
            }
        }
        self.count += piece?.readableBytes ?? 0
        guard self.count <= self.limit else { throw self.tooLarge(hit) }
        return piece
    }

    private func tooLarge(_ hit: (Limit) -> Void) -> ActionError {
        hit(.body)
        return .tooLarge
    }
}
