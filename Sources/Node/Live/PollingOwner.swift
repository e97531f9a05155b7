/// Whose a session is while it polls. Its ID is a credential, but it stands in addresses, where it may be seen: who knows
/// nothing else is not let in (SPEC LC-6, ID-18).
///
/// A handshake that came with a session cookie wants a cookie of the same person and device with every later request; one
/// that did not come from a foreign page takes none from there.
struct PollingOwner: Sendable, Equatable {
    enum Verdict: Sendable, Equatable {
        case same
        /// The cookie may have been replaced, by renewal or another login of the same person: that is to be asked.
        case otherCookie
        case other
    }

    let domain: String
    /// From a foreign origin that the configuration does not name.
    let isForeign: Bool
    /// The hash of the session's secret; nil where there was no such cookie, or more than one.
    let session: [UInt8]?

    init(domain: String, isForeign: Bool, session: [UInt8]?) {
        self.domain = domain
        self.isForeign = isForeign
        self.session = session
    }

    /// Whether `other`, a later request, may be the same client's.
    func judge(_ other: PollingOwner) -> Verdict {
        guard other.domain == self.domain, self.isForeign || !other.isForeign else { return .other }
        if self.session == nil || self.session == other.session { return .same }
        return other.session == nil ? .other : .otherCookie
    }
}
