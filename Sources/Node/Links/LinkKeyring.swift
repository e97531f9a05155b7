import Routing

/// Computes link keys (SPEC LK-2): they name a pair of parties to this service, and say nothing of it to anybody else.
struct LinkKeyring: Sendable {
    let keys: SigningKeyring

    /// With each signing key, the one that signs first: a Link that was made under an older key is found, too.
    func keys(domain: String, _ one: LinkParty, _ other: LinkParty) -> [LinkKey] {
        let parties = [one, other].sorted()
        let isOfClients = one.client != nil
        var fields = [Array(domain.utf8), Array((isOfClients ? "client" : "user").utf8)]
        for party in parties {
            fields.append(Array(party.user.utf8))
            fields.append(Array((party.client ?? "").utf8))
        }
        let message = SignedFields.message("link/v1", fields)
        return self.keys.current.signAll(message).map { LinkKey(code: $0) }
    }
}
