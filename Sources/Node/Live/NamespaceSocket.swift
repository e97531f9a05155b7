import Routing
import Wire

/// A socket outside `/`: it has an identity like any other, and no route (SPEC §8).
final class NamespaceSocket: LiveSocket {
    /// Who it is; nil for a guest, where guests may connect.
    let identity: ConnectionIdentity?
    private let random: UInt128

    init(session: LiveSession, slot: NamespaceSlot, namespace: InstalledNamespace, identity: ConnectionIdentity?) {
        var generator = SystemRandomNumberGenerator()
        self.random = UInt128(generator.next() as UInt64) << 64 | UInt128(generator.next() as UInt64)
        self.identity = identity
        super.init(session: session, slot: slot, namespace: namespace)
    }

    override var randomPart: UInt128 { self.random }
    override var sid: String {
        Base64URL.text(UInt64(self.random >> 64), UInt64(truncatingIfNeeded: self.random))
    }
}
