import Routing
import Wire

/// Route documents as they are stored (SPEC LC-1): `live: [{s, n, c, e, t}]`, `pres: {u, c: [{c, d}]}`,
/// `out: [{k, c, q, n}]`, `seq`, `due`, `x`, `v`, `fv`.
enum RouteCodec {
    static func decode(_ document: BSONDocument) throws(DocumentError) -> RouteDocument {
        try document.checkFormat()
        let key = try document.require("_id") { $0.string.flatMap { RouteKey($0) } }
        var route = RouteDocument(key: key)
        route.version = try document.require("v") { $0.int64 }
        for element in try document.require("live", { $0.array }) {
            guard let entry = element.document else { throw DocumentError("live holds no document") }
            route.live.append(try self.connection(entry))
        }
        let presence = try document.require("pres") { $0.document }
        route.isUserAnnounced = try presence.require("u") { $0.bool }
        for element in try presence.require("c", { $0.array }) {
            guard let entry = element.document else { throw DocumentError("pres.c holds no document") }
            let deadline = try entry.optional("d") { $0.date }
            route.announcedClients.updateValue(deadline, forKey: try entry.require("c") { $0.string })
        }
        for element in try document.require("out", { $0.array }) {
            guard let entry = element.document else { throw DocumentError("out holds no document") }
            route.outbox.append(try self.transition(entry))
        }
        route.sequence = try document.require("seq") { $0.int64 }
        route.due = try document.optional("due") { $0.date }
        route.expires = try document.optional("x") { $0.date }
        return route
    }

    private static func connection(_ entry: BSONDocument) throws(DocumentError) -> RouteDocument.Connection {
        RouteDocument.Connection(
            socket: try entry.require("s") { $0.string.flatMap { SocketID($0) } },
            node: try entry.require("n") { $0.string.flatMap { NodeID($0) } },
            client: try entry.require("c") { $0.string },
            endpoint: try entry.require("e") { $0.string },
            since: try entry.require("t") { $0.date })
    }

    private static func transition(_ entry: BSONDocument) throws(DocumentError) -> RouteTransition {
        RouteTransition(
            kind: try entry.require("k") {
                $0.int64.flatMap { UInt8(exactly: $0) }.flatMap { RouteTransition.Kind(rawValue: $0) }
            },
            client: try entry.optional("c") { $0.string },
            sequence: try entry.require("q") { $0.int64 },
            owner: try entry.require("n") { $0.string.flatMap { NodeID($0) } })
    }

    static func write(_ connection: RouteDocument.Connection, into writer: inout BSONWriter) {
        writer.append("s", connection.socket.text)
        writer.append("n", connection.node.text)
        writer.append("c", connection.client)
        writer.append("e", connection.endpoint)
        writer.append("t", BSONDate(milliseconds: connection.since))
    }

    static func write(_ transition: RouteTransition, into writer: inout BSONWriter) {
        writer.append("k", Int32(transition.kind.rawValue))
        writer.append("c", ifPresent: transition.client)
        writer.append("q", transition.sequence)
        writer.append("n", transition.owner.text)
    }

    /// As an array: clients' names are no field names.
    static func writePresence(of route: RouteDocument, into writer: inout BSONWriter) {
        writer.append("u", route.isUserAnnounced)
        writer.array("c") { clients in
            for (client, deadline) in route.announcedClients.sorted(by: { $0.key < $1.key }) {
                clients.documentElement { entry in
                    entry.append("c", client)
                    entry.append("d", ifPresent: deadline.map { BSONDate(milliseconds: $0) })
                }
            }
        }
    }
}
