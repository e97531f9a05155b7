import Synchronization

/// The Links of an incarnation, for the receiver of its bus, which is made first.
final class LateLinks: Sendable {
    private let state = Mutex<LinkBroker?>(nil)

    /// nil also where the node has no Links.
    var broker: LinkBroker? { self.state.withLock(\.self) }

    func set(_ broker: LinkBroker?) { self.state.withLock { $0 = broker } }
}
