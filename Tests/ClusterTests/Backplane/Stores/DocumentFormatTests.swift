import NIOCore
import Routing
import Testing
import Wire

@testable import Backplane

/// SPEC ND-6: stored documents of two versions.
@Suite("Formats of documents") struct DocumentFormatTests {
    private static let older = Formats(newest: 2, written: 1)
    private static let newer = Formats(newest: 3, written: 2)
    private static let key = RouteKey(domain: "d", user: "u")

    private static func route(clients: [String]) -> RouteDocument {
        var route = RouteDocument(key: Self.key)
        route.version = 7
        route.sequence = 70
        route.isUserAnnounced = true
        for client in clients { route.announcedClients.updateValue(nil, forKey: client) }
        return route
    }

    /// What the statement sets.
    private static func set(_ write: RouteWrite, _ formats: Formats) throws -> BSONDocument {
        let statement = try #require(RouteUpdate.commands(for: [write], formats).first?.statements.first)
        return try #require(statement["u"]?.document?["$set"]?.document)
    }

    @Test("What one version writes the other one reads: nodes, sessions, tickets, recovery sheets")
    func records() throws {
        for (writer, reader) in [(Self.older, Self.newer), (Self.newer, Self.older)] {
            var node = NodeRecord(
                id: NodeID(high: 1, low: 2), name: "n", address: nil, started: 5,
                homes: [.init(shard: "a", slot: 1)], format: writer.written)
            node.newestFormat = writer.newest
            let stored = BSONDocument {
                $0.append("_id", node.id.text)
                NodeCodec.write(node, writer, into: &$0)
            }
            #expect(try NodeCodec.decode(stored, reader) == node)
            let session = SessionRecord(
                hash: [1, 2], domain: "d", user: "u", client: "c", now: 1, isRemembered: false, expires: 2)
            let document = BSONDocument { SessionCodec.write(session, writer, into: &$0) }
            #expect(try SessionCodec.decode(document, reader) == session)
            let ticket = TicketRecord(
                id: [1], domain: "d", chain: [2], socket: "s", sealed: [3], expires: 9, isUsed: false)
            #expect(
                try TicketCodec.decode(BSONDocument { TicketCodec.write(ticket, writer, into: &$0) }, reader) == ticket)
        }
    }

    @Test("A node record of a version that did not say what it reads reads what it writes")
    func olderNode() throws {
        let node = NodeRecord(id: NodeID(high: 1, low: 2), name: nil, address: nil, started: 5, homes: [])
        let stored = BSONDocument { document in
            document.append("_id", node.id.text)
            NodeCodec.write(node, .current, into: &document)
        }
        let without = BSONDocument { document in
            for element in stored where element.name != "fr" { document.append(element.name, element) }
        }
        #expect(without["fr"] == nil)
        #expect(try NodeCodec.decode(without, .current) == node)
    }

    @Test("A document of an unknown format is refused by name, and not as malformed", arguments: [0, 4, -1])
    func unknown(format: Int) throws {
        let document = BSONDocument {
            $0.append("_id", Self.key.text)
            $0.append("fv", Int32(format))
        }
        let decoders: [(BSONDocument) throws -> Void] = [
            { _ = try RouteCodec.decode($0, Self.newer) }, { _ = try NodeCodec.decode($0, Self.newer) },
            { _ = try SessionCodec.decode($0, Self.newer) }, { _ = try TicketCodec.decode($0, Self.newer) },
        ]
        for decode in decoders {
            let error = #expect(throws: DocumentError.self) { try decode(document) }
            #expect(error?.isUnknownFormat == true)
            #expect(error?.message.hasPrefix("UNKNOWN_FORMAT \(format): ") == true)
        }
        let sheet = BSONDocument { $0.append("fv", Int32(format + 1)) }
        let error = #expect(throws: DocumentError.self) { try RecoveryCodec.decode(sheet, Self.newer) }
        #expect(error?.isUnknownFormat == true)
        let none = BSONDocument { $0.append("_id", Self.key.text) }
        let missing = #expect(throws: DocumentError.self) { try RouteCodec.decode(none, Self.newer) }
        #expect(missing?.isUnknownFormat == false)
    }

    @Test("LC-1: a part is written to a route of one's own format; one of another format is written whole")
    func routes() throws {
        var new = Self.route(clients: ["a", "b"])
        new.version = 8
        let whole = try Self.set(RouteWrite(old: RouteDocument(key: Self.key), new: new), Self.older)
        #expect(whole["fv"]?.int64 == 1)
        let stored = BSONDocument { document in
            document.append("_id", Self.key.text)
            for element in whole { document.append(element.name, element) }
        }
        var read = try RouteCodec.decode(stored, Self.older)
        #expect(!read.isOtherFormat)
        var next = read
        next.version = 9
        next.sequence += 1
        let part = try Self.set(RouteWrite(old: read, new: next), Self.older)
        #expect(part["fv"] == nil && part["live"] == nil)

        read = try RouteCodec.decode(stored, Self.newer)
        #expect(read.isOtherFormat)
        let write = RouteWrite(old: read, new: next)
        let again = try Self.set(write, Self.newer)
        #expect(again["fv"]?.int64 == 2 && again["live"] != nil && again["pres"] != nil && again["out"] != nil)
        #expect(!RouteUpdate.isPartial(write))
    }
}
