import Testing

@testable import Routing

/// SOCKETIO §12: who is in a room, and whom a target names.
@Suite struct RoomTableTests {
    private let limits = RoomTable.Limits()

    private func table(_ rooms: [[String]]) throws -> (RoomTable, [RoomTestMember]) {
        let table = RoomTable()
        let members = rooms.map { _ in RoomTestMember() }
        for (member, names) in zip(members, rooms) {
            table.add(member)
            try table.join(member, names, limits: self.limits)
        }
        return (table, members)
    }

    private func found(_ table: RoomTable, _ target: RoomTarget, _ members: [RoomTestMember]) -> [Int] {
        let found = table.members(of: target)
        return members.indices.filter { index in found.contains { $0 === members[index] } }
    }

    @Test("§12: the union of rooms less the union of excepted ones, each socket once; no room is the whole namespace")
    func targets() throws {
        let (table, members) = try self.table([["a"], ["a", "b"], ["b"], []])
        #expect(self.found(table, RoomTarget(), members) == [0, 1, 2, 3])
        #expect(self.found(table, RoomTarget(rooms: ["a"]), members) == [0, 1])
        #expect(self.found(table, RoomTarget(rooms: ["a", "b"]), members) == [0, 1, 2])
        #expect(table.members(of: RoomTarget(rooms: ["a", "b", "a"])).count == 3)
        #expect(self.found(table, RoomTarget(rooms: ["a"], except: ["b"]), members) == [0])
        #expect(self.found(table, RoomTarget(except: ["a", "b"]), members) == [3])
        #expect(self.found(table, RoomTarget(rooms: ["nobody"]), members) == [])
    }

    @Test("§11.7, §12: the own id is a room that nobody else is in, and except with it leaves the sender out")
    func ownRoom() throws {
        let (table, members) = try self.table([["a"], ["a"], []])
        #expect(self.found(table, RoomTarget(rooms: [members[2].sid]), members) == [2])
        #expect(self.found(table, RoomTarget(rooms: ["a"], except: [members[0].sid]), members) == [1])
        #expect(self.found(table, RoomTarget(rooms: ["a", members[2].sid]), members) == [0, 1, 2])
        #expect(table.member(sid: String(members[2].sid.dropLast()) + "!") == nil)
        // Somebody else may be in a room of that name, too: it is a name like any other.
        try table.join(members[1], [members[2].sid], limits: self.limits)
        #expect(self.found(table, RoomTarget(rooms: [members[2].sid]), members) == [1, 2])
    }

    @Test("§12: leaving, twice or never having joined, and the end of a socket empty its rooms")
    func leaving() throws {
        let (table, members) = try self.table([["a", "b", "c"], ["a"]])
        table.leave(members[0], "a")
        table.leave(members[0], "a")
        table.leave(members[1], "b")
        #expect(self.found(table, RoomTarget(rooms: ["a"]), members) == [1])
        #expect(members[0].rooms.map(\.name).sorted() == ["b", "c"])
        table.remove(members[0])
        table.remove(members[0])
        #expect(table.roomCount == 1)
        #expect(table.count == 1)
        #expect(table.member(sid: members[0].sid) == nil)
        // Too late: it is gone.
        try table.join(members[0], ["a"], limits: self.limits)
        #expect(self.found(table, RoomTarget(rooms: ["a"]), members) == [1])
        table.remove(members[1])
        #expect(table.isEmpty && table.roomCount == 0)
    }

    @Test("§18: too many rooms, and names that are too long or empty, are refused, and nothing is joined")
    func refusals() throws {
        var limits = RoomTable.Limits()
        limits.roomsPerSocket = 3
        limits.nameBytes = 4
        let (table, members) = try self.table([["a", "b"]])
        let member = members[0]
        #expect(throws: RoomTable.JoinRefusal.tooManyRooms(limit: 3)) {
            try table.join(member, ["c", "d"], limits: limits)
        }
        #expect(throws: RoomTable.JoinRefusal.nameLength(limit: 4)) {
            try table.join(member, ["c", "ééé"], limits: limits)
        }
        #expect(throws: RoomTable.JoinRefusal.nameLength(limit: 4)) { try table.join(member, [""], limits: limits) }
        #expect(member.rooms.map(\.name) == ["a", "b"])
        #expect(table.roomCount == 2)
        // What it is in already, its own room among them, does not count again.
        try table.join(member, ["a", "c", "c", "b", member.sid], limits: limits)
        #expect(member.rooms.map(\.name) == ["a", "b", "c"])
    }

    @Test("OP-5: rooms and members are gone after any history", arguments: UInt64(0)..<20)
    func histories(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        let table = RoomTable()
        var members: [RoomTestMember] = []
        var model: [ObjectIdentifier: Set<String>] = [:]
        for _ in 0..<300 {
            switch Int.random(in: 0..<6, using: &generator) {
            case 0, 1:
                let member = RoomTestMember()
                members.append(member)
                model[ObjectIdentifier(member)] = []
                table.add(member)
            case 2, 3:
                guard let member = members.randomElement(using: &generator) else { continue }
                let name = "r\(Int.random(in: 0..<5, using: &generator))"
                try table.join(member, [name], limits: self.limits)
                model[ObjectIdentifier(member)]?.insert(name)
            case 4:
                guard let member = members.randomElement(using: &generator) else { continue }
                let name = "r\(Int.random(in: 0..<5, using: &generator))"
                table.leave(member, name)
                model[ObjectIdentifier(member)]?.remove(name)
            default:
                guard let index = members.indices.randomElement(using: &generator) else { continue }
                table.remove(members[index])
                model[ObjectIdentifier(members[index])] = nil
                members.remove(at: index)
            }
            for room in (0..<5).map({ "r\($0)" }) {
                let expected = members.filter { model[ObjectIdentifier($0)]?.contains(room) ?? false }
                let found = table.members(of: RoomTarget(rooms: [room]))
                #expect(Set(found.map { ObjectIdentifier($0) }) == Set(expected.map { ObjectIdentifier($0) }))
            }
        }
        for member in members { table.remove(member) }
        #expect(table.isEmpty && table.roomCount == 0)
    }
}
