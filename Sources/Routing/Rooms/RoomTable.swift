/// The sockets of one namespace on one event loop, and the rooms that they are in. Touch only from that loop.
package final class RoomTable {
    /// Why a socket is not let into a room (SOCKETIO §18).
    package enum JoinRefusal: Error, Equatable, Sendable {
        case tooManyRooms(limit: Int)
        case nameLength(limit: Int)
    }

    /// Limits of one socket (SOCKETIO §18).
    package struct Limits: Sendable, Equatable {
        /// Rooms of one socket, its own not counted.
        package var roomsPerSocket = 1_024
        /// UTF-8 bytes of a room's name.
        package var nameBytes = 256

        package init() {}
    }

    private var rooms: [String: Room] = [:]
    private var members: [any RoomMember] = []
    private var byRandomPart: [UInt128: any RoomMember] = [:]

    package init() {}

    package var isEmpty: Bool { self.members.isEmpty }
    package var count: Int { self.members.count }
    package var roomCount: Int { self.rooms.count }

    // MARK: Coming and going

    package func add(_ member: any RoomMember) {
        precondition(member.seat < 0, "a socket is added once")
        member.seat = Int32(self.members.count)
        self.members.append(member)
        self.byRandomPart[member.randomPart] = member
    }

    /// Leaves every room, and the namespace. By swapping with the last member: O(1) in a mass close.
    package func remove(_ member: any RoomMember) {
        guard member.seat >= 0 else { return }
        for room in member.rooms { self.forget(member, in: room) }
        member.rooms = []
        let seat = Int(member.seat)
        member.seat = -1
        let last = self.members.removeLast()
        if seat < self.members.count {
            self.members[seat] = last
            last.seat = Int32(seat)
        }
        // A recovered connection has the id of the one that lost it, which may go later.
        if self.byRandomPart[member.randomPart] === member { self.byRandomPart[member.randomPart] = nil }
    }

    /// Joins rooms; one that it is in already changes nothing. Either all are joined or none.
    package func join(_ member: any RoomMember, _ names: [String], limits: Limits) throws(JoinRefusal) {
        guard member.seat >= 0 else { return }
        var wanted: [String] = []
        for name in names where name != member.sid && !wanted.contains(name) {
            guard (1...limits.nameBytes).contains(name.utf8.count) else { throw .nameLength(limit: limits.nameBytes) }
            if !member.rooms.contains(where: { $0.name == name }) { wanted.append(name) }
        }
        guard member.rooms.count + wanted.count <= limits.roomsPerSocket else {
            throw .tooManyRooms(limit: limits.roomsPerSocket)
        }
        for name in wanted {
            let room = self.rooms[name] ?? Room(name: name)
            self.rooms[name] = room
            room.members[ObjectIdentifier(member)] = member
            member.rooms.append(room)
        }
    }

    package func leave(_ member: any RoomMember, _ name: String) {
        guard let index = member.rooms.firstIndex(where: { $0.name == name }) else { return }
        self.forget(member, in: member.rooms[index])
        member.rooms.swapAt(index, member.rooms.count - 1)
        member.rooms.removeLast()
    }

    private func forget(_ member: any RoomMember, in room: Room) {
        room.members[ObjectIdentifier(member)] = nil
        if room.members.isEmpty { self.rooms[room.name] = nil }
    }

    // MARK: Finding

    /// The member whose own room this is.
    package func member(sid: String) -> (any RoomMember)? {
        guard let random = Self.randomPart(of: sid), let member = self.byRandomPart[random], member.sid == sid
        else { return nil }
        return member
    }

    /// Runs `body` for every member that the target names, once. `body` may end members and join or leave rooms.
    package func forEach(_ target: RoomTarget, _ body: (any RoomMember) -> Void) {
        for member in self.members(of: target) { body(member) }
    }

    /// The members that a target names, each once, in no order.
    package func members(of target: RoomTarget) -> [any RoomMember] {
        let found: [any RoomMember]
        switch target.rooms.count {
        case 0: found = self.members
        case 1: found = self.members(named: target.rooms[0])
        default:
            var seen: [ObjectIdentifier: any RoomMember] = [:]
            for name in target.rooms {
                for member in self.members(named: name) { seen[ObjectIdentifier(member)] = member }
            }
            found = Array(seen.values)
        }
        guard !target.except.isEmpty, !found.isEmpty else { return found }
        var excepted: Set<ObjectIdentifier> = []
        for name in target.except {
            for member in self.members(named: name) { excepted.insert(ObjectIdentifier(member)) }
        }
        return excepted.isEmpty ? found : found.filter { !excepted.contains(ObjectIdentifier($0)) }
    }

    private func members(named name: String) -> [any RoomMember] {
        var found = self.rooms[name].map { Array($0.members.values) } ?? []
        if let own = self.member(sid: name), !found.contains(where: { $0 === own }) { found.append(own) }
        return found
    }

    /// The random part of a public id: its last 22 characters, whatever stands before them.
    private static func randomPart(of sid: String) -> UInt128? {
        guard sid.utf8.count >= Base64URL.digits128 else { return nil }
        return Base64URL.value128(sid.utf8.suffix(Base64URL.digits128))
    }
}

@available(*, unavailable) extension RoomTable: Sendable {}
