import Routing
import Synchronization

/// The rooms of an incarnation, for the receiver of its bus, which is made first. Nothing arrives before the node is in the
/// registry.
final class LateRooms: Sendable {
    private let state = Mutex<RoomDispatcher?>(nil)

    var dispatcher: RoomDispatcher? { self.state.withLock(\.self) }

    func set(_ dispatcher: RoomDispatcher) { self.state.withLock { $0 = dispatcher } }
}
