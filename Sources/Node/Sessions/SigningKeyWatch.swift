internal import Logging
internal import Metrics
internal import Synchronization

/// Reads the signing key file again from time to time, or on order, and puts what is new into the ring (SPEC ID-2). A file that
/// cannot be used changes nothing.
final class SigningKeyWatch: Sendable {
    private let path: String
    private let keyring: SigningKeyring
    /// Zero: only on order.
    private let interval: Duration
    /// Gets the IDs of keys that verify no more.
    private let removed: @Sendable (Set<[UInt8]>) -> Void
    private let sleep: @Sendable (Duration) async throws -> Void
    private let logger: Logger
    private let failures = Counter(label: "submergence_signing_key_reads_failed_total")
    private let changes = Counter(label: "submergence_signing_key_changes_total")
    /// The last complaint: the same one is not logged every time.
    private let complaint = Mutex<SigningKeyError?>(nil)

    init(
        path: String, keyring: SigningKeyring, interval: Double, removed: @escaping @Sendable (Set<[UInt8]>) -> Void,
        sleep: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }, logger: Logger
    ) {
        self.path = path
        self.keyring = keyring
        self.interval = .seconds(interval)
        self.removed = removed
        self.sleep = sleep
        self.logger = logger
    }

    /// - Returns: whether the keys are others than before.
    @discardableResult
    func reload() throws(SigningKeyError) -> Bool {
        let keys: SigningKeys
        do {
            keys = try SigningKeyFile.load(self.path)
        } catch {
            self.failures.increment()
            throw error
        }
        self.complaint.withLock { $0 = nil }
        let before = self.keyring.current
        guard keys.ids != before.ids || keys.first.id != before.first.id else { return false }
        let removed = self.keyring.replace(with: keys)
        self.changes.increment()
        self.logger.notice(
            "signing keys changed", metadata: ["keys": "\(keys.ids.count)", "removed": "\(removed.count)"])
        if !removed.isEmpty { self.removed(removed) }
        return true
    }

    /// Until the task is cancelled.
    func run() async {
        guard self.interval > .zero else { return }
        while !Task.isCancelled {
            do { try await self.sleep(self.interval) } catch { return }
            do throws(SigningKeyError) {
                try self.reload()
            } catch {
                let isNew = self.complaint.withLock { complaint in
                    defer { complaint = error }
                    return complaint != error
                }
                if isNew {
                    self.logger.error("signing keys are not read again", metadata: ["error": "\(error)"])
                }
            }
        }
    }
}
