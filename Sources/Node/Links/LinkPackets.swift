import NIOCore
import Routing
import Wire

/// The `link` and `peer` events towards clients (SPEC §8).
extension OutboundPacket {
    // MARK: link

    /// The object of a `link` event, which its acknowledgement has as well (SPEC WS-1).
    /// - Parameter fields: what stands behind `_id`, without braces.
    static func linkAnswer(_ id: MessageID?, _ fields: String) -> ByteBuffer {
        var object = ByteBuffer()
        object.writeString("{")
        if let id {
            object.writeString("\"_id\":")
            object.writeImmutableBuffer(id.json)
            object.writeString(",")
        }
        object.writeString(fields)
        object.writeString("}")
        return object
    }

    static func link(_ object: ByteBuffer) -> OutboundPacket {
        object.withUnsafeReadableBytes { .passing(name: "link", arguments: $0) }
    }

    // MARK: peer

    /// - Parameter content: the member that is relayed, as JSON without braces.
    static func peerSignal(
        _ record: LinkRecord, from socket: SocketID, endpoint: String, label: String, content: String
    ) -> OutboundPacket {
        self.peer { object in
            self.writeOrigin(token: record.token.text, record.generation, socket.text, endpoint, &object)
            object.writeString(",\"query\":\(label),\(content)")
        }
    }

    static func peerHere(_ roster: PeerRoster, _ peer: PeerRoster.Peer) -> OutboundPacket {
        self.peer { object in
            self.writeOrigin(token: roster.token, roster.generation, peer.socket, peer.endpoint, &object)
            object.writeString(",\"init\":true,\"query\":")
            object.writeImmutableBuffer(roster.label)
        }
    }

    static func peerGone(_ roster: PeerRoster, _ peer: PeerRoster.Peer) -> OutboundPacket {
        self.peer { object in
            self.writeOrigin(token: roster.token, roster.generation, peer.socket, peer.endpoint, &object)
            object.writeString(",\"gone\":true")
        }
    }

    static func peerClosed(token: String, _ reason: LinkCloseReason) -> OutboundPacket {
        self.peer { object in
            object.writeString("\"token\":")
            object.writeJSONString(token)
            object.writeString(",\"closed\":true,\"reason\":\"\(reason.name)\"")
        }
    }

    /// - Parameters: what of the client's message could be read.
    static func peerError(token: String?, to: String?, _ error: LinkError) -> OutboundPacket {
        self.peer { object in
            for (name, value) in [("token", token), ("to", to)] {
                guard let value else { continue }
                object.writeString("\"\(name)\":")
                object.writeJSONString(value)
                object.writeString(",")
            }
            object.writeString("\"error\":\"\(error.rawValue)\"")
        }
    }

    private static func writeOrigin(
        token: String, _ generation: Int64, _ socket: String, _ endpoint: String, _ object: inout ByteBuffer
    ) {
        object.writeString("\"token\":")
        object.writeJSONString(token)
        object.writeString(",\"gen\":\(generation),\"from\":")
        object.writeJSONString(socket)
        object.writeString(",\"ep\":")
        object.writeJSONString(endpoint)
    }

    private static func peer(_ write: (inout ByteBuffer) -> Void) -> OutboundPacket {
        var object = ByteBuffer()
        object.writeString("{")
        write(&object)
        object.writeString("}")
        return object.withUnsafeReadableBytes { .passing(name: "peer", arguments: $0) }
    }
}
