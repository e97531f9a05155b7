import Synchronization
import UnixSignals

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Whether a run was asked to end before its time (SIGINT). It holds the signal from its making to ``end()``.
final class LoadInterrupt: Sendable {
    private final class Flag: Sendable {
        let isRaised = Atomic<Bool>(false)
    }

    private let flag = Flag()
    private let watching: Task<Void, Never>

    init() async {
        let signals = await UnixSignalsSequence(trapping: .sigint)
        self.watching = Task { [flag] in
            for await _ in signals { flag.isRaised.store(true, ordering: .relaxed) }
        }
    }

    var isRaised: Bool { self.flag.isRaised.load(ordering: .relaxed) }

    /// From here on the signal ends the process, as before: whoever does not want to wait for the report.
    func end() {
        self.watching.cancel()
        // The sequence has it ignored, and leaves that behind.
        signal(SIGINT, SIG_DFL)
    }
}
