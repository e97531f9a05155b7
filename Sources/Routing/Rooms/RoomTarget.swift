/// Whom an operation is for: the union of rooms, less the union of excepted rooms (SOCKETIO §12). A socket is in the room
/// of its own id without having joined it.
package struct RoomTarget: Hashable, Sendable {
    /// Rooms of one operation, named and excepted together.
    package static let maximumRooms = 1_024

    /// Empty: the whole namespace.
    package var rooms: [String]
    package var except: [String]

    package init(rooms: [String] = [], except: [String] = []) {
        self.rooms = rooms
        self.except = except
    }
}
