import NIOCore
import Routing
import Wire

/// The product's own events towards clients that speak them (SPEC §8).
extension OutboundPacket {
    static func ready(
        sid: String, endpoint: String, identity: ConnectionIdentity, ice: ICEServers.Grant, ping: TimeAmount
    ) -> OutboundPacket {
        self.product("ready") { object in
            object.writeString("{\"sid\":")
            object.writeJSONString(sid)
            object.writeString(",\"endpoint\":")
            object.writeJSONString(endpoint)
            object.writeString(",\"user\":")
            object.writeJSONString(identity.user)
            object.writeString(",\"client\":")
            object.writeJSONString(identity.client)
            object.writeString(",\"domestic\":\(identity.isDomestic),")
            object.writeImmutableBuffer(ice.members)
            object.writeString(",\"ping\":\(ping.nanoseconds / 1_000_000)}")
        }
    }

    /// `session {renew:true}`: the client is to renew, over HTTP or with a new token (SPEC ID-16).
    static var askToRenew: OutboundPacket { self.product("session") { $0.writeString("{\"renew\":true}") } }

    /// What has become of the client's `auth` event.
    static func session(_ object: ByteBuffer) -> OutboundPacket {
        self.product("session") { $0.writeImmutableBuffer(object) }
    }

    static func logout(_ reason: LogoutReason) -> OutboundPacket {
        self.product("logout") { object in
            object.writeString("{\"reason\":\"\(reason.rawValue)\",\"reconnect\":\(reason.reconnects)}")
        }
    }

    private static func product(_ name: String, _ write: (inout ByteBuffer) -> Void) -> OutboundPacket {
        var object = ByteBuffer()
        write(&object)
        return object.withUnsafeReadableBytes { .passing(name: name, arguments: $0) }
    }
}
