import NIOCore
import Routing
import Wire

/// What the official suites expect of the server under test (SOCKETIO §16), and `echo`, `pub` and `kick` for load and cluster
/// runs.
enum ConformanceApplication {
    static func install(on station: Station) {
        for namespace in ["/", "/custom"] {
            station.onLoopJoin(namespace: namespace) { socket, auth in
                socket.send { namespace in
                    let arguments = auth.readableBytes == 0 ? ByteBuffer(string: "{}") : auth
                    return arguments.withUnsafeReadableBytes {
                        .passing(name: "auth", arguments: $0, namespace: namespace)
                    }
                }
            }
        }
        station.onLoop(event: "message") { event in
            event.session.sendEvent(
                .passing(name: "message-back", arguments: event.rawArguments, attachments: event.attachments))
        }
        station.onLoop(event: "message-with-ack") { $0.acknowledge($0.rawArguments, attachments: $0.attachments) }
        station.onLoop(event: "echo") { $0.acknowledge($0.rawArguments, attachments: $0.attachments) }
        station.onLoop(event: "pub") { event in self.publish(event) }
        station.on(event: "kick") { [weak station] event in
            let user: String = try event.argument(0)
            let client: String? = event.count > 1 ? try event.argument(1) : nil
            try await station?.kick(user: user, client: client, domain: event.domain)
            try event.acknowledge(true)
        }
        for namespace in ["/", "/custom"] { ConformanceRooms.install(on: station, namespace: namespace) }
        self.installSessions(on: station)
        ConformanceActions.install(on: station)
        ConformanceItems.install(on: station)
    }

    /// What an application's login page would do, so that sessions can be tried over HTTP and sockets.
    private static func installSessions(on station: Station) {
        station.action(.post, "/login") { request, agent, reply in
            let who = try request.body(as: Login.self)
            try await agent.setActive(user: who.user, client: who.client, rememberMe: who.remember)
            reply.content(["user": who.user, "client": who.client])
        }
        station.action(.post, "/logout") { request, agent, reply in
            try await agent.logout(client: request.query["client"])
            reply.content(["standing": agent.standing.rawValue])
        }
        station.action(.get, "/agent") { _, agent, reply in
            reply.content(["standing": agent.standing.rawValue, "user": agent.user, "client": agent.client])
            reply.content(["domestic": agent.isDomestic])
        }
    }

    private struct Login: Decodable {
        let user: String
        let client: String
        let remember: Bool?
    }

    /// `pub(user, payload[, client])` sends `["msg", payload]` to that identity; an ack gets the receipt.
    private static func publish(_ event: borrowing LoopEvent) {
        let ack = event.deferredAck()
        let arguments = event.arguments()
        guard arguments.count >= 2, let user = self.string(arguments[0]), Identifier.isValid(user),
            let node = event.session.loop.clusterNode
        else {
            ack?.send(ByteBuffer(string: #"{"error":"INVALID"}"#))
            return
        }
        let client = arguments.count > 2 ? self.string(arguments[2]) : nil
        let packet: OutboundPacket
        do {
            packet = try OutboundPacket.event("msg", [arguments[1]], limits: EventLimits(maxBytes: EventLimits.ceiling))
        } catch {
            ack?.send(ByteBuffer(string: #"{"error":"SIZE"}"#))
            return
        }
        let key = RouteKey(domain: event.session.handshake.domain, user: user)
        node.dispatcher.send(packet, to: key, client: client) { receipt in
            guard let ack else { return }
            ack.send(
                ByteBuffer(
                    string: "{\"didReceive\":\(receipt.didReceive),\"local\":\(receipt.local),"
                        + "\"nodes\":\(receipt.nodes),\"stored\":\(receipt.stored),"
                        + "\"isComplete\":\(receipt.isComplete)}"))
        }
    }

    private static func string(_ argument: EventArgument) -> String? {
        guard case .json(let text) = argument else { return nil }
        return text.withUnsafeReadableBytes { raw in
            guard raw.count >= 2, raw.first == UInt8(ascii: "\"") else { return nil }
            return JSONString.decodeStrict(UnsafeRawBufferPointer(rebasing: raw[1..<(raw.count - 1)]))
        }
    }
}
