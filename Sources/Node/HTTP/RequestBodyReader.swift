internal import Hummingbird
internal import NIOCore
internal import Synchronization

/// Reads the body of one request, as fast as it is asked for and within limits of time, and knows whether the connection can
/// be used again.
///
/// A short body that nobody wants is read and thrown away behind the answer; of a longer one, or one that is a stream, only
/// as much as lets a client see the answer that is still sending, and the connection ends (SPEC AC-5).
final class RequestBodyReader: ActionBodySource {
    /// Bytes that are thrown away.
    static let linger = 262_144
    /// How often ``watch()`` looks within the time that a client has: it may have so much more.
    private static let looks = 4

    private enum Phase: Equatable {
        /// Nobody is reading. `isStream`: a handler is to, piece by piece.
        case idle(isStream: Bool)
        case reading(isStream: Bool)
        /// The connection is at the end of the request.
        case ended
        /// The rest, if it comes, is nobody's.
        case over
    }

    private struct State {
        var phase = Phase.idle(isStream: false)
        var isInvited = false
        var isSlow = false
        /// Bytes so far.
        var count = 0
        /// Changes when the client's time begins anew: with each piece of a stream.
        var turn = 0
    }

    let length: Int?
    private let source: PieceSource<RequestBody.AsyncIterator>
    private let timeout: Duration
    private let sleep: @Sendable (Duration) async throws -> Void
    /// Asks the client for the body (RFC 9110 §10.1.1); nil where it does not wait to be asked.
    private let invite: (@Sendable () async throws -> Void)?
    private let state = Mutex(State())

    /// - Parameters:
    ///   - length: what the request says.
    ///   - timeout: for a body that is read as a whole, and for each piece of a stream (SPEC AC-12).
    ///   - invite: for a client that expects `100 Continue`.
    init(
        _ body: RequestBody, length: Int?, timeout: Duration,
        sleep: @escaping @Sendable (Duration) async throws -> Void, invite: (@Sendable () async throws -> Void)? = nil
    ) {
        self.source = PieceSource(body.makeAsyncIterator())
        self.length = length
        self.timeout = timeout
        self.sleep = sleep
        self.invite = invite
    }

    func willStream() {
        self.state.withLock { state in
            if state.phase == .idle(isStream: false) { state.phase = .idle(isStream: true) }
        }
    }

    func next(_ patience: ActionBodyPatience) async throws(ActionBodyError) -> ByteBuffer? {
        let isStream = if case .piece = patience { true } else { false }
        enum Start { case read(invites: Bool), end, refuse }
        let start = self.state.withLock { state -> Start in
            switch state.phase {
            case .ended: return .end
            case .reading, .over: return .refuse
            case .idle: break
            }
            state.phase = .reading(isStream: isStream)
            if isStream { state.turn += 1 }
            defer { state.isInvited = true }
            return .read(invites: !state.isInvited)
        }
        switch start {
        case .end: return nil
        case .refuse: throw .over
        case .read(let invites):
            do {
                if invites, let invite = self.invite { try await invite() }
                let piece = try await self.source.next()
                return try self.received(piece, isStream: isStream)
            } catch {
                throw self.failed()
            }
        }
    }

    /// - Throws: for a connection that ended within the body.
    private func received(_ piece: ByteBuffer?, isStream: Bool) throws(ActionBodyError) -> ByteBuffer? {
        let isWhole = self.state.withLock { state in
            state.count += piece?.readableBytes ?? 0
            if piece == nil, let length = self.length, state.count < length { return false }
            if state.phase == .reading(isStream: isStream) {
                state.phase = piece == nil ? .ended : .idle(isStream: isStream)
            }
            return true
        }
        guard isWhole else { throw .broken }
        return piece
    }

    private func failed() -> ActionBodyError {
        self.state.withLock { state in
            state.phase = .over
            return state.isSlow ? .slow : .broken
        }
    }

    /// Keeps the time of a client that is waited for, until the task is cancelled: one timer for all pieces.
    func watch() async {
        var seen: (turn: Int, looks: Int)?
        while true {
            do { try await self.sleep(self.timeout / Self.looks) } catch { return }
            let now = self.state.withLock { state -> Int? in
                switch state.phase {
                case .reading: state.turn
                // Between two pieces of a whole.
                case .idle(isStream: false): state.isInvited ? state.turn : nil
                case .idle(isStream: true), .ended, .over: nil
                }
            }
            guard let turn = now else {
                seen = nil
                continue
            }
            let looks = seen?.turn == turn ? (seen?.looks ?? 0) + 1 : 0
            seen = (turn, looks)
            guard looks >= Self.looks else { continue }
            self.state.withLock { $0.isSlow = true }
            return self.source.cancel()
        }
    }

    /// Whether the connection will be at the end of the request once ``settle()`` has run: then it can be kept, and the
    /// answer does not say that it ends.
    var canSettle: Bool {
        let state = self.state.withLock(\.self)
        switch state.phase {
        case .ended: return true
        case .reading, .over, .idle(isStream: true): return false
        case .idle(isStream: false):
            // A client that waits to be asked may send the body or not: nobody can tell what its next bytes are.
            guard let length = self.length, self.invite == nil || state.isInvited else { return false }
            return length - state.count <= Self.linger
        }
    }

    /// Gets rid of what nobody has read, behind the answer.
    /// - Returns: whether the connection is at the end of the request.
    func settle() async -> Bool {
        guard self.canSettle else { return false }
        do {
            while try await self.next(.whole) != nil {}
            return true
        } catch {
            return false
        }
    }

    /// Lets a client that is still sending see the answer: takes what comes until it stops, or has sent too much.
    func linger(_ time: Duration = .seconds(2)) async {
        let mayRead = self.state.withLock { state in
            defer { state.phase = .over }
            if case .idle = state.phase { return true }
            return false
        }
        guard mayRead else { return }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [sleep, source] in
                do { try await sleep(time) } catch { return }
                source.cancel()
            }
            var left = Self.linger
            while left > 0, let piece = try? await self.source.next() { left -= piece.readableBytes }
            group.cancelAll()
        }
    }
}
