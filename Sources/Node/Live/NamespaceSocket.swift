import Routing
import Wire

/// A socket outside `/`: it has an identity like any other, and no route (SPEC §8).
final class NamespaceSocket: LiveSocket {
    private let random: UInt128

    init(session: LiveSession, slot: NamespaceSlot, namespace: InstalledNamespace, identity: ConnectionIdentity?) {
        self.random = UInt128(session.loop.random.next()) << 64 | UInt128(session.loop.random.next())
        super.init(session: session, slot: slot, namespace: namespace)
        self.identity = identity
    }

    /// Only on `/` a client is told; here it sees the namespace's DISCONNECT, or its CONNECT refused.
    override func endAuthority(_ reason: LogoutReason) {
        guard !reason.reconnects else { return self.session.close(.forcedClose) }
        guard self.session.elsewhere[self.slot] !== self else { return self.session.disconnect(self, closes: false) }
        if self.session.joining[self.slot] === self { self.session.refuse(self.slot, ConnectErrorCode.login.rawValue) }
    }

    override var randomPart: UInt128 { self.random }
    override var sid: String {
        Base64URL.text(UInt64(self.random >> 64), UInt64(truncatingIfNeeded: self.random))
    }
}
