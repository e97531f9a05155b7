import NIOCore
import Routing
import Wire

/// What is known of a session from its first HTTP request (SOCKETIO §11): whom it asked for, from where, with which
/// credentials. Header values are kept as they came until a namespace has been joined.
final class Handshake: Sendable {
    let domain: String
    /// The client's address by SPEC TR-2.
    let source: ProxyTrust.Source
    let origin: DomainTable.OriginStanding
    /// Whether the configuration names the origin, so that its pages may connect (SPEC ID-18).
    let isOriginListed: Bool
    /// `b64=1`: binary messages go as text.
    let base64: Bool
    let headers: HeaderList
    /// Path and query of the request; empty once that is not needed any more.
    let target: String
    /// Milliseconds since 1970; 0 once that is not needed any more.
    let time: Int64

    init(
        domain: String, source: ProxyTrust.Source, origin: DomainTable.OriginStanding, isOriginListed: Bool = false,
        headers: HeaderList, target: String, base64: Bool, time: Int64
    ) {
        self.domain = domain
        self.source = source
        self.origin = origin
        self.isOriginListed = isOriginListed
        self.headers = headers
        self.target = target
        self.base64 = base64
        self.time = time
    }

    /// Without the credentials and whatever else is not needed once the client is known: most of what an idle connection
    /// would keep.
    var withoutCredentials: Handshake {
        let userAgent = self.userAgent.map { [(name: "user-agent", value: $0)] } ?? []
        return Handshake(
            domain: self.domain, source: self.source, origin: self.origin, isOriginListed: self.isOriginListed,
            headers: HeaderList(userAgent), target: "", base64: self.base64, time: 0)
    }

    /// Whether nothing but credentials tells the two apart.
    func isAlike(_ other: Handshake) -> Bool {
        self.source == other.source && self.domain == other.domain && self.origin == other.origin
            && self.isOriginListed == other.isOriginListed && self.base64 == other.base64
            && self.userAgent == other.userAgent
    }

    private var userAgent: String? { self.headers.single("user-agent") }
}

/// Judges the request that opens a session, on whichever transport it came (SPEC TR-1, TR-2, ND-13).
struct HandshakeGate: Sendable {
    let domains: DomainTable
    let proxies: ProxyTrust
    let crossOrigin: CrossOrigin
    /// The name of the session's cookie.
    let sessionCookie: String

    /// - Parameter target: path and query.
    func admit(
        _ headers: HeaderList, peer: SocketAddress?, target: String, base64: Bool
    ) throws(TransportRefusal) -> Handshake {
        let destination = try self.destination(headers)
        let source = self.source(headers, peer)
        let origin = self.domains.origin(headers, of: destination, isSecure: source.isSecure)
        let isListed = origin == .foreign && self.crossOrigin.names(headers.values("origin"))
        guard isListed || !self.domains.isRefused(origin) else { throw .forbidden }
        return Handshake(
            domain: destination.domain, source: source, origin: origin, isOriginListed: isListed, headers: headers,
            target: target, base64: base64, time: SystemClusterClock().wallTime())
    }

    private func source(_ headers: some HeaderView, _ peer: SocketAddress?) -> ProxyTrust.Source {
        guard let address = peer.flatMap(IPAddress.init) else { return .init(address: "", isSecure: false) }
        return self.proxies.source(headers, peer: address)
    }

    /// Whose session it is that a handshake opens.
    func owner(of handshake: Handshake) -> PollingOwner {
        PollingOwner(
            domain: handshake.domain, isForeign: handshake.origin == .foreign && !handshake.isOriginListed,
            session: self.session(handshake.headers))
    }

    /// Whose session a later request of one that polls would be.
    func claim(_ headers: some HeaderView, peer: SocketAddress?) throws(TransportRefusal) -> PollingOwner {
        let destination = try self.destination(headers)
        let source = self.source(headers, peer)
        let isForeign =
            self.domains.origin(headers, of: destination, isSecure: source.isSecure) == .foreign
            && !self.crossOrigin.names(headers.values("origin"))
        return PollingOwner(
            domain: destination.domain, isForeign: isForeign, session: self.session(headers))
    }

    private func session(_ headers: some HeaderView) -> [UInt8]? {
        guard case .value(let text) = CookieHeader(headers).lookup(self.sessionCookie) else { return nil }
        return SessionSecret(text)?.hash
    }

    private func destination(_ headers: some HeaderView) throws(TransportRefusal) -> DomainTable.Destination {
        do {
            return try self.domains.destination(headers)
        } catch {
            switch error {
            case .malformed: throw .hostMissing
            case .unknown: throw .unknownDomain
            }
        }
    }
}
