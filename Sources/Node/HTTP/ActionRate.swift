internal import NIOCore
internal import Routing
internal import Synchronization

/// How fast one client address may ask for actions over HTTP (SPEC AC-12, LK-17).
package final class ActionRate: Sendable {
    /// Requests between two looks at what may be forgotten.
    private static let sweepInterval = 256

    private let limits: AddressLimits
    private let count = Atomic<Int>(0)

    /// - Returns: nil where there is no such limit.
    init?(_ limits: LimitOptions) {
        guard let rate = limits.actionRate else { return nil }
        self.limits = AddressLimits(rate)
    }

    /// - Parameter key: `none` is not limited.
    func admits(_ key: AddressKey) -> Bool {
        guard key != .none else { return true }
        if self.count.add(1, ordering: .relaxed).newValue % Self.sweepInterval == 0 { self.limits.sweep() }
        do throws(TransportRefusal) {
            let admission = try self.limits.open(key)
            self.limits.close(admission.key, hasJoined: false)
            return true
        } catch {
            return false
        }
    }
}
