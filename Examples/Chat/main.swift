import Node

// A chat for invited guests, in rooms; and one namespace for each table of a game, which the players' clients name.

let station = try Station(configuration: .development)

let chat = station.namespace("/chat")
chat.use { handshake in
    guard handshake.auth["invitation"]?.string == "please" else {
        throw ConnectError("not invited", data: ["hint": "ask nicely"])
    }
}
chat.on(.connection) { socket in
    try await socket.join("lobby")
    try socket.emit("welcome", socket.id, socket.handshake?.auth["name"] ?? .null)
    try socket.to("lobby").emit("came", socket.id)
}
chat.on(.disconnect) { socket, how in
    try chat.domain(socket.domain).to("lobby").emit("went", socket.id, how.reason, how.rooms.sorted())
}
chat.on(event: "enter") { event in
    try await event.socket.join(event.argument(0, as: String.self))
    try event.acknowledge(await event.socket.rooms.sorted())
}
chat.on(event: "say") { event in
    let room = try event.argument(0, as: String.self)
    try event.socket.to(room).emit("said", event.sid, event.argument(1, as: String.self))
}
chat.on(event: "typing") { event in
    try event.socket.to("lobby").volatile.emit("typing", event.sid)
}
chat.on(event: "vote") { event in
    let replies = try await chat.domain(event.domain).to("lobby").timeout(.seconds(10)).emitWithAck("vote?")
    try event.acknowledge(try replies.responses.map { try $0.argument(as: String.self) }.sorted(), replies.missing)
}
chat.on(event: "who") { event in
    let fetched = try await chat.domain(event.domain).to("lobby").fetchSockets()
    try event.acknowledge(fetched.sockets.map(\.id).sorted())
}
chat.on(event: "out") { event in
    try chat.domain(event.domain).to(event.argument(0, as: String.self)).disconnectSockets()
}

let tables = station.namespaces { name, _ in name.hasPrefix("/table-") && name.utf8.count <= 16 }
tables.on(.connection) { socket in try socket.emit("seated", socket.namespace) }
tables.on(event: "move") { event in
    let others = station.namespace(event.socket.namespace).domain(event.domain).sockets.except(event.sid)
    try others.emit("moved", event.argument(0, as: String.self))
}

try await station.run()
