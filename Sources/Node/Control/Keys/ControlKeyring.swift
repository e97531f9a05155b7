internal import Crypto
package import Logging
internal import Metrics
internal import Synchronization

/// The control keys of a node, read again from time to time: a key that was revoked ends with the next reading.
package final class ControlKeyring: Sendable {
    private let path: String?
    private let isOpen: Bool
    private let interval: Duration
    private let keys: Mutex<[ControlKey]>
    private let complaint = Mutex<ControlKeyError?>(nil)
    private let failures = Counter(label: "submergence_control_key_reads_failed_total")
    private let logger: Logger

    /// - Parameters:
    ///   - path: nil: there are no keys.
    ///   - isOpen: where there are no keys, none is asked for, which is development mode's way (DESIGN §9). Else nobody gets in.
    ///   - interval: between two readings; zero: only on order.
    /// - Throws: for a file that cannot be used: at start that is the operator's to mend.
    package init(path: String?, isOpen: Bool, interval: Duration, logger: Logger) throws(ControlKeyError) {
        self.path = path
        self.isOpen = isOpen
        self.interval = interval
        self.keys = Mutex(try path.map { path throws(ControlKeyError) in try ControlKeyFile.load(path) } ?? [])
        self.logger = logger
    }

    /// Keys that stay as they are; nil: none is asked for.
    init(_ keys: [ControlKey]?, logger: Logger) {
        self.path = nil
        self.isOpen = keys == nil
        self.interval = .zero
        self.keys = Mutex(keys ?? [])
        self.logger = logger
    }

    var isEmpty: Bool { self.keys.withLock(\.isEmpty) }

    var asksForKeys: Bool { self.path != nil || !self.isOpen }

    /// Whose secret that is. Takes the same time for every wrong one.
    func key(of secret: String) -> ControlKey? {
        let digest = ControlKey.digest(of: secret)
        var found: ControlKey?
        for key in self.keys.withLock(\.self) {
            var difference: UInt8 = 0
            for (left, right) in zip(key.digest, digest) { difference |= left ^ right }
            if difference == 0 { found = key }
        }
        return found
    }

    func key(named name: String) -> ControlKey? { self.keys.withLock { $0.first { $0.name == name } } }

    /// Keeps what it has when the file cannot be used.
    package func reload() throws(ControlKeyError) {
        guard let path = self.path else { return }
        let keys: [ControlKey]
        do {
            keys = try ControlKeyFile.load(path)
        } catch {
            self.failures.increment()
            throw error
        }
        self.complaint.withLock { $0 = nil }
        let names = self.keys.withLock { current -> String? in
            guard current != keys else { return nil }
            current = keys
            return keys.map(\.name).joined(separator: " ")
        }
        if let names { self.logger.notice("control keys changed", metadata: ["keys": "\(names)"]) }
    }

    /// Until the task is cancelled.
    package func run() async {
        guard self.path != nil, self.interval > .zero else { return }
        while !Task.isCancelled {
            do { try await Task.sleep(for: self.interval) } catch { return }
            do throws(ControlKeyError) {
                try self.reload()
            } catch {
                let isNew = self.complaint.withLock { complaint in
                    defer { complaint = error }
                    return complaint != error
                }
                if isNew { self.logger.error("control keys are not read again", metadata: ["error": "\(error)"]) }
            }
        }
    }
}
