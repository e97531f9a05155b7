import Foundation
import NIOCore
import NIOFoundationCompat
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

    /// `pub(user, payload[, client or {client, confirm, trace}])` sends `["msg", payload]` to that identity; an ack gets the
    /// receipt.
    /// `confirm` is true, or the milliseconds in which the nodes are to say what they have written.
    private static func publish(_ event: borrowing LoopEvent) {
        let ack = event.deferredAck()
        let arguments = event.arguments()
        guard arguments.count >= 2, let user = self.string(arguments[0]), Identifier.isValid(user),
            let node = event.session.loop.clusterNode
        else {
            ack?.send(ByteBuffer(string: #"{"error":"INVALID"}"#))
            return
        }
        let options = arguments.count > 2 ? self.options(arguments[2]) : PublishOptions()
        let packet: OutboundPacket
        do {
            packet = try OutboundPacket.event("msg", [arguments[1]], limits: EventLimits(maxBytes: EventLimits.ceiling))
        } catch {
            ack?.send(ByteBuffer(string: #"{"error":"SIZE"}"#))
            return
        }
        let key = RouteKey(domain: event.session.handshake.domain, user: user)
        let trace = node.dispatcher.beginTrace(isAsked: options.trace ?? false)
        if let timeout = options.confirm?.timeout {
            let server = event.session.loop.server
            let isQueued = server.work.submit {
                ack?.send(await self.confirmed(packet, key, options.client, trace, timeout, server, node))
            }
            if !isQueued { ack?.send(ByteBuffer(string: #"{"error":"BUSY"}"#)) }
            return
        }
        node.dispatcher.send(packet, to: key, client: options.client, trace: trace) { receipt in
            guard let ack else { return }
            ack.send(
                ByteBuffer(
                    string: "{\"didReceive\":\(receipt.didReceive),\"local\":\(receipt.local),"
                        + "\"nodes\":\(receipt.nodes),\"stored\":\(receipt.stored),"
                        + "\"isComplete\":\(receipt.isComplete)"
                        + (trace.map { ",\"event\":\"\($0.id.text)\"}" } ?? "}")))
        }
    }

    private struct PublishOptions: Decodable {
        var client: String?
        var confirm: Confirm?
        var trace: Bool?
    }

    private enum Confirm: Decodable {
        case asked(Bool)
        case milliseconds(Int)

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let isAsked = try? container.decode(Bool.self) {
                self = .asked(isAsked)
            } else {
                self = .milliseconds(try container.decode(Int.self))
            }
        }

        var timeout: Duration? {
            let confirmation: SendConfirmation =
                switch self {
                case .asked(let isAsked): isAsked ? .asked : .none
                case .milliseconds(let count): .within(.milliseconds(min(max(count, 0), 60_000)))
                }
            return if case .within(let timeout) = confirmation { timeout } else { nil }
        }
    }

    private static func options(_ argument: EventArgument) -> PublishOptions {
        if let client = self.string(argument) { return PublishOptions(client: client) }
        guard case .json(let text) = argument else { return PublishOptions() }
        // What is no object of this shape asks for nothing, as ever.
        return (try? JSONDecoder().decode(PublishOptions.self, from: Data(buffer: text))) ?? PublishOptions()
    }

    private static func confirmed(
        _ packet: OutboundPacket, _ key: RouteKey, _ client: String?, _ trace: TracedEvent?, _ timeout: Duration,
        _ server: LiveServer, _ node: ClusterNode
    ) async -> ByteBuffer {
        do {
            let receipt = try await server.sendConfirmed(packet, to: key, client, .required, trace, timeout, on: node)
            return ByteBuffer(data: try JSONEncoder().encode(receipt))
        } catch {
            return ByteBuffer(string: #"{"error":"BUSY"}"#)
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
