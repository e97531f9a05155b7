import ArgumentParser
import Node

/// Flags of sessions (SPEC ID-6, ID-7, ID-18); all others are in the library's `SessionOptions`.
struct IdentityFlags: ParsableArguments {
    @Option(help: ArgumentHelp("Age at which a session's token is replaced. Default: 86400.", valueName: "seconds"))
    var sessionLifespan: Double?

    @Option(
        help: ArgumentHelp(
            "Longest inactivity after which it is still replaced. Default: 259200.", valueName: "seconds"))
    var sessionRenewalTimeout: Double?

    @Option(help: ArgumentHelp("Hard end since the login; 0: none. Default: 1209600.", valueName: "seconds"))
    var loginLifespan: Double?

    @Option(
        help: ArgumentHelp(
            "How long a replaced token stays good once its successor was presented. Default: 120.", valueName: "seconds"
        ))
    var renewalGrace: Double?

    @Option(
        help: ArgumentHelp(
            "Activity of a session is written, and a live connection's session looked at, about so often. Default: 300.",
            valueName: "seconds"))
    var activityResolution: Double?

    @Flag(help: "A replaced token that is presented after its grace ends its whole login.")
    var revokeSuperseded = false

    @Option(
        help: "Who may open a live connection: active, identified or nothing. Default: active.",
        transform: Self.liveRequirement)
    var liveRequires: LiveRequirement?

    @Option(
        help: ArgumentHelp(
            "The signing key file is read again after so long; 0: never. Default: 30.", valueName: "seconds"))
    var signingKeyRefresh: Double?

    @Option(
        help: ArgumentHelp(
            "Another name that a domain answers to, e.g. www.app.example=app.example or '*.app.example=app.example'; may be "
                + "repeated.", valueName: "name=domain"))
    var alias: [String] = []

    func validate() throws {
        for alias in self.alias where alias.split(separator: "=", omittingEmptySubsequences: false).count != 2 {
            throw ValidationError("--alias takes name=domain")
        }
    }

    func apply(to configuration: inout Configuration) {
        if let value = self.sessionLifespan { configuration.sessions.sessionLifespan = value }
        if let value = self.sessionRenewalTimeout { configuration.sessions.sessionRenewalTimeout = value }
        if let value = self.loginLifespan { configuration.sessions.loginLifespan = value }
        if let value = self.renewalGrace { configuration.sessions.renewalGrace = value }
        if let value = self.activityResolution { configuration.sessions.activityResolution = value }
        configuration.sessions.revokesSupersededChains = self.revokeSuperseded
        if let value = self.liveRequires { configuration.live.liveRequires = value }
        if let value = self.signingKeyRefresh { configuration.signingKeyRefresh = value }
        for alias in self.alias {
            let parts = alias.split(separator: "=", omittingEmptySubsequences: false).map(String.init)
            if let index = configuration.domains.firstIndex(where: { $0.name == parts[1] }) {
                configuration.domains[index].aliases.append(parts[0])
            } else {
                // The check of domains will name it.
                configuration.domains.append(.init(parts[1], aliases: [parts[0]]))
            }
        }
    }

    private static func liveRequirement(_ text: String) throws -> LiveRequirement {
        guard let requirement = LiveRequirement(rawValue: text) else {
            let names = LiveRequirement.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("It is one of \(names).")
        }
        return requirement
    }
}
