import Foundation
import NIOPosix
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The board on disk: a file of events, one JSON line each, which all nodes of one machine share.
///
/// Whoever changes something locks the file, reads what others have added, decides, appends and syncs; whoever reads takes
/// over what was added. So every decision is made on the newest state, whichever node makes it. Over several machines that
/// would be a database's work.
final class Journal: Sendable {
    private struct State {
        let descriptor: CInt
        var board = Board()
        /// Bytes that are in the board.
        var offset: off_t = 0
    }

    private let state: Mutex<State>
    /// File locks block, so they have a thread of their own.
    private let thread = NIOThreadPool(numberOfThreads: 1)

    init(path: String) throws {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw JournalError("open \(path)") }
        self.state = Mutex(State(descriptor: descriptor))
        self.thread.start()
    }

    /// The board as it is now.
    func board() async throws -> Board {
        try await self.thread.runIfActive {
            try self.state.withLock { state in
                try Self.locked(state.descriptor, LOCK_SH) { try Self.catchUp(&state) }
                return state.board
            }
        }
    }

    /// Decides on the newest board what happens, and writes it down. What `decide` throws changes nothing.
    func change<Result: Sendable>(
        _ decide: @escaping @Sendable (Board) throws -> (events: [BoardEvent], result: Result)
    ) async throws -> Result {
        try await self.thread.runIfActive {
            try self.state.withLock { state in
                try Self.locked(state.descriptor, LOCK_EX) {
                    try Self.catchUp(&state)
                    try Self.dropTornLine(state)
                    let (events, result) = try decide(state.board)
                    try Self.append(events, &state)
                    return result
                }
            }
        }
    }

    /// Call once, when nobody uses it any more.
    func shutDown() async throws {
        try await self.thread.shutdownGracefully()
        self.state.withLock { state in _ = close(state.descriptor) }
    }

    private static func locked<Result>(_ descriptor: CInt, _ kind: CInt, _ body: () throws -> Result) throws -> Result {
        while flock(descriptor, kind) != 0 { if errno != EINTR { throw JournalError("lock") } }
        defer { _ = flock(descriptor, LOCK_UN) }
        return try body()
    }

    /// Takes over the whole lines behind what was read already.
    private static func catchUp(_ state: inout State) throws {
        var bytes = Data()
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = pread(state.descriptor, &chunk, chunk.count, state.offset + off_t(bytes.count))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw JournalError("read") }
            if count == 0 { break }
            bytes.append(contentsOf: chunk.prefix(count))
        }
        guard let end = bytes.lastIndex(of: UInt8(ascii: "\n")) else { return }
        let decoder = JSONDecoder()
        for line in bytes[...end].split(separator: UInt8(ascii: "\n")) {
            state.board.apply(try decoder.decode(BoardEvent.self, from: line))
        }
        state.offset += off_t(end + 1)
    }

    /// A process that died while it wrote has left half a line; nobody was told that it happened.
    private static func dropTornLine(_ state: State) throws {
        guard ftruncate(state.descriptor, state.offset) == 0 else { throw JournalError("truncate") }
    }

    private static func append(_ events: [BoardEvent], _ state: inout State) throws {
        guard !events.isEmpty else { return }
        let encoder = JSONEncoder()
        var bytes: [UInt8] = []
        for event in events { bytes += Array(try encoder.encode(event)) + [UInt8(ascii: "\n")] }
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { raw in
                let rest = UnsafeRawBufferPointer(rebasing: raw[written...])
                return pwrite(state.descriptor, rest.baseAddress, rest.count, state.offset + off_t(written))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw JournalError("write") }
            written += count
        }
        guard fsync(state.descriptor) == 0 else { throw JournalError("sync") }
        for event in events { state.board.apply(event) }
        state.offset += off_t(bytes.count)
    }
}

/// The file could not be used.
struct JournalError: Error, CustomStringConvertible {
    let description: String

    init(_ operation: String) {
        self.description = "journal, \(operation): \(String(cString: strerror(errno)))"
    }
}
