/// A room of one namespace on one event loop. Exists while it has members.
package final class Room {
    package let name: String
    var members: [ObjectIdentifier: any RoomMember] = [:]

    init(name: String) {
        self.name = name
    }

    func contains(_ member: any RoomMember) -> Bool { self.members[ObjectIdentifier(member)] != nil }
}

@available(*, unavailable) extension Room: Sendable {}
