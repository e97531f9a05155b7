/// Rooms, acknowledgements and operations on all nodes as events, so that clients of the conformance server can try them
/// over a cluster. Registered like any application's.
enum ConformanceRooms {
    /// Whom and how, as clients say it.
    private struct Order: Codable, Sendable {
        var rooms: [String]?
        var except: [String]?
        var local: Bool?
        var volatile: Bool?
        var latest: String?
        /// Seconds.
        var timeout: Double?
        var event: String?
        var arguments: [JSONValue]?
        var close: Bool?
        var names: [String]?

        func broadcast(_ socket: Socket, includingSender: Bool) -> Broadcast {
            var broadcast =
                includingSender
                ? Broadcast(server: socket.server, domain: socket.domain, socket.namespace) : socket.broadcast
            broadcast = broadcast.to(self.rooms ?? [])
            for room in self.except ?? [] { broadcast = broadcast.except(room) }
            if self.local == true { broadcast = broadcast.local }
            if self.volatile == true { broadcast = broadcast.volatile }
            if let key = self.latest { broadcast = broadcast.latest(key) }
            if let timeout = self.timeout { broadcast = broadcast.timeout(.milliseconds(Int64(timeout * 1000))) }
            return broadcast
        }
    }

    private struct Replies: Codable, Sendable {
        let responses: [[JSONValue]]
        let silent: [String]
        let departed: [String]
        let missing: Int
        let disconnected: Int

        init(_ replies: BroadcastReplies) throws {
            self.responses = try replies.responses.map { response in
                try (0..<response.count).map { try response.argument($0) }
            }
            self.silent = replies.silentNodes
            self.departed = replies.departedNodes
            self.missing = replies.missing
            self.disconnected = replies.disconnected
        }
    }

    private struct Fetched: Codable, Sendable {
        struct Entry: Codable, Sendable {
            let id: String
            let user: String?
            let rooms: [String]
            let data: JSONValue?
        }

        let sockets: [Entry]
        let silent: [String]
        let departed: [String]
    }

    static func install(on station: Station, namespace name: String) {
        let namespace = station.namespace(name)
        namespace.on(event: "room:join") { event in
            try await event.socket.join(try event.argument(0, as: [String].self))
            try event.acknowledge(await event.socket.rooms)
        }
        namespace.on(event: "room:leave") { event in
            for room in try event.argument(0, as: [String].self) { await event.socket.leave(room) }
            try event.acknowledge(await event.socket.rooms)
        }
        namespace.on(event: "room:data") { event in
            try await event.socket.setData(try event.argument(0, as: JSONValue.self))
            try event.acknowledge(true)
        }
        for (word, includingSender) in [("room:emit", true), ("room:cast", false)] {
            namespace.on(event: word) { event in
                let order = try event.argument(0, as: Order.self)
                let broadcast = order.broadcast(event.socket, includingSender: includingSender)
                let name = order.event ?? "room"
                guard event.wantsAcknowledgement else {
                    return try broadcast.emit(name, arguments: order.arguments ?? [])
                }
                try event.acknowledge(try await broadcast.emitWithReceipt(name, arguments: order.arguments ?? []))
            }
        }
        namespace.on(event: "room:ask") { event in
            let order = try event.argument(0, as: Order.self)
            let replies = try await order.broadcast(event.socket, includingSender: true)
                .emitWithAck(order.event ?? "ask", arguments: order.arguments ?? [])
            try event.acknowledge(try Replies(replies))
        }
        namespace.on(event: "room:fetch") { event in
            let order = try event.argument(0, as: Order.self)
            let fetched = try await order.broadcast(event.socket, includingSender: true).fetchSockets()
            try event.acknowledge(
                Fetched(
                    sockets: fetched.sockets.map { .init(id: $0.id, user: $0.user, rooms: $0.rooms, data: $0.data) },
                    silent: fetched.silentNodes, departed: fetched.departedNodes))
        }
        self.installOrders(on: namespace)
        self.installNodes(on: namespace, station)
    }

    private static func installOrders(on namespace: Namespace) {
        namespace.on(event: "room:sockets-join") { event in
            let order = try event.argument(0, as: Order.self)
            try order.broadcast(event.socket, includingSender: true).socketsJoin(order.names ?? [])
            try event.acknowledge(true)
        }
        namespace.on(event: "room:sockets-leave") { event in
            let order = try event.argument(0, as: Order.self)
            try order.broadcast(event.socket, includingSender: true).socketsLeave(order.names ?? [])
            try event.acknowledge(true)
        }
        namespace.on(event: "room:disconnect") { event in
            let order = try event.argument(0, as: Order.self)
            try order.broadcast(event.socket, includingSender: true).disconnectSockets(close: order.close ?? false)
            try event.acknowledge(true)
        }
        namespace.on(event: "emit-me") { event in
            let order = try event.argument(0, as: Order.self)
            try event.socket.emit(order.event ?? "room", arguments: order.arguments ?? [])
            try event.acknowledge(event.socket.recovered)
        }
        namespace.on(event: "ask-me") { event in
            let order = try event.argument(0, as: Order.self)
            do {
                let answer = try await event.socket.emitWithAck(
                    order.event ?? "ask", arguments: order.arguments ?? [],
                    timeout: .milliseconds(Int64((order.timeout ?? 5) * 1000)))
                let arguments = try (0..<answer.count).map { try answer.argument($0, as: JSONValue.self) }
                try event.acknowledge(JSONValue.array(arguments))
            } catch let error as SocketError {
                try event.acknowledge("\(error)")
            }
        }
    }

    private static func installNodes(on namespace: Namespace, _ station: Station) {
        namespace.on(serverSide: "hello") { [weak station] event in
            let name = try station?.current().nodeName ?? "?"
            try event.acknowledge(["node": name, "argument": try event.argument(0, as: String.self)])
        }
        namespace.on(event: "node:ask") { event in
            let order = try event.argument(0, as: Order.self)
            let broadcast = order.broadcast(event.socket, includingSender: true)
            let replies = try await broadcast.serverSideEmitWithAck(order.event ?? "hello", event.sid)
            try event.acknowledge(try Replies(replies))
        }
    }
}
