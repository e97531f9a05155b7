import Routing
import Wire

/// Route documents as they are stored (SPEC LC-1): `live: [{s, n, c, e, t, l, p, b, r, f, g}]`, `pres: {u, c: [{c, d}]}`,
/// `out: [{k, c, q, n}]`, `seq`, `due`, `x`, `v`, `fv`; with Links `links: [{k, g, c, d, r}]`; with connection state recovery
/// `away: [{s, c, e, p, b, u, f, g}]` and `rl`.
enum RouteCodec {
    static func decode(_ document: BSONDocument, _ formats: Formats) throws(DocumentError) -> RouteDocument {
        let format = try document.checkFormat(formats)
        let key = try document.require("_id") { $0.string.flatMap { RouteKey($0) } }
        var route = RouteDocument(key: key)
        route.isOtherFormat = format != formats.written
        route.version = try document.require("v") { $0.int64 }
        for element in try document.require("live", { $0.array }) {
            guard let entry = element.document else { throw DocumentError("live holds no document") }
            route.live.append(try self.connection(entry))
        }
        for element in try document.optional("away", { $0.array }) ?? BSONDocument({ _ in }) {
            guard let entry = element.document else { throw DocumentError("away holds no document") }
            route.away.append(try self.away(entry))
        }
        for element in try document.optional("links", { $0.array }) ?? BSONDocument({ _ in }) {
            guard let entry = element.document else { throw DocumentError("links holds no document") }
            route.links.append(try self.hint(entry))
        }
        route.logPlace = try document.optional("rl") { $0.string }
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
        let name = try entry.require("s") { $0.string }
        guard let socket = SocketID(name) else { throw DocumentError("s holds no SID") }
        let endpoint = try entry.require("e") { $0.string }
        return RouteDocument.Connection(
            socket: socket,
            node: try entry.require("n") { $0.string.flatMap { NodeID($0) } },
            client: try entry.require("c") { $0.string },
            endpoint: endpoint == name ? "" : endpoint,
            since: try entry.require("t") { $0.date },
            takesRosters: try entry.optional("l") { $0.bool } ?? false,
            recovery: try self.recovery(entry))
    }

    private static func hint(_ entry: BSONDocument) throws(DocumentError) -> LinkHint {
        LinkHint(
            key: try entry.require("k") { $0.string.flatMap { LinkKey($0) } },
            generation: try entry.require("g") { $0.int64 }, client: try entry.optional("c") { $0.string },
            due: try entry.optional("d") { $0.date }, reason: try entry.optional("r", LinkCodec.reason))
    }

    private static func recovery(_ entry: BSONDocument) throws(DocumentError) -> RouteDocument.Recovery? {
        guard let base = try entry.optional("b", { $0.int64 }) else { return nil }
        return RouteDocument.Recovery(
            pid: try entry.optional("p") { $0.string.flatMap { PrivateIDHash($0) } }, base: base,
            take: try entry.optional("r") { $0.int64 },
            first: try entry.require("f") { $0.date }, rooms: try self.rooms(entry))
    }

    private static func away(_ entry: BSONDocument) throws(DocumentError) -> RouteDocument.Away {
        RouteDocument.Away(
            socket: try entry.require("s") { $0.string.flatMap { SocketID($0) } },
            client: try entry.require("c") { $0.string },
            endpoint: try entry.require("e") { $0.string },
            pid: try entry.require("p") { $0.string.flatMap { PrivateIDHash($0) } },
            base: try entry.require("b") { $0.int64 },
            until: try entry.require("u") { $0.date },
            first: try entry.require("f") { $0.date }, rooms: try self.rooms(entry))
    }

    private static func rooms(_ entry: BSONDocument) throws(DocumentError) -> [String] {
        guard let array = try entry.optional("g", { $0.array }) else { return [] }
        var rooms: [String] = []
        for element in array {
            guard let room = element.string else { throw DocumentError("g holds no string") }
            rooms.append(room)
        }
        return rooms
    }

    private static func writeRooms(_ rooms: [String], into writer: inout BSONWriter) {
        guard !rooms.isEmpty else { return }
        writer.array("g") { array in
            for room in rooms { array.element(room) }
        }
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
        // Never empty: nodes of another version may take equal ones for the same page.
        writer.append("e", connection.endpointText)
        writer.append("t", BSONDate(milliseconds: connection.since))
        if connection.takesRosters { writer.append("l", true) }
        guard let recovery = connection.recovery else { return }
        writer.append("p", ifPresent: recovery.pid?.text)
        writer.append("b", recovery.base)
        writer.append("r", ifPresent: recovery.take)
        writer.append("f", BSONDate(milliseconds: recovery.first))
        self.writeRooms(recovery.rooms, into: &writer)
    }

    static func write(_ away: RouteDocument.Away, into writer: inout BSONWriter) {
        writer.append("s", away.socket.text)
        writer.append("c", away.client)
        writer.append("e", away.endpoint)
        writer.append("p", away.pid.text)
        writer.append("b", away.base)
        writer.append("u", BSONDate(milliseconds: away.until))
        writer.append("f", BSONDate(milliseconds: away.first))
        self.writeRooms(away.rooms, into: &writer)
    }

    static func write(_ hint: LinkHint, into writer: inout BSONWriter) {
        writer.append("k", hint.key.text)
        writer.append("g", hint.generation)
        writer.append("c", ifPresent: hint.client)
        writer.append("d", ifPresent: hint.due.map { BSONDate(milliseconds: $0) })
        writer.append("r", ifPresent: hint.reason.map { Int32($0.rawValue) })
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
            for (client, deadline) in route.announcedClients {
                clients.documentElement { entry in
                    entry.append("c", client)
                    entry.append("d", ifPresent: deadline.map { BSONDate(milliseconds: $0) })
                }
            }
        }
    }
}
