import ArgumentParser
import Node

/// Flags that name one identity provider whose tokens are taken; several are for the library's `TokenIssuer`.
struct TokenFlags: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Take tokens (JWT) of this issuer beside session cookies: the exact value of iss.", valueName: "iss"))
    var tokenIssuer: String?

    @Option(help: ArgumentHelp("The audience that they must name.", valueName: "aud"))
    var tokenAudience: String?

    @Option(
        help: ArgumentHelp(
            "The issuer's JSON Web Key Set: a file, or an https address.", valueName: "path|url"))
    var tokenKeys: String?

    @Option(help: "The domain that these identities belong to. Default: the only one.")
    var tokenDomain: String?

    @Option(help: ArgumentHelp("The claim that names the user. Default: sub.", valueName: "claim"))
    var tokenUserClaim: String?

    @Option(
        help: ArgumentHelp(
            "The claim that names the client, a device of the user. Default: all are the client \"token\".",
            valueName: "claim"))
    var tokenClientClaim: String?

    @Option(
        help: ArgumentHelp(
            "A live client is asked for a new token so long before its old one expires. Default: 60.",
            valueName: "seconds"))
    var tokenAskBefore: Double?

    @Option(help: ArgumentHelp("How far the issuer's clock may be off. Default: 30.", valueName: "seconds"))
    var tokenClockSkew: Double?

    @Option(help: ArgumentHelp("Keys are read again after so long. Default: 600.", valueName: "seconds"))
    var tokenKeyRefresh: Double?

    @Flag(help: "Fetch keys by http and from private addresses, too: for tests.")
    var tokenKeysMayBePrivate = false

    func validate() throws {
        let named = [self.tokenIssuer, self.tokenAudience, self.tokenKeys].compactMap(\.self).count
        guard named == 0 || named == 3 else {
            throw ValidationError("--token-issuer, --token-audience and --token-keys go together")
        }
    }

    func apply(to configuration: inout Configuration) {
        guard let issuer = self.tokenIssuer, let audience = self.tokenAudience, let keys = self.tokenKeys else {
            return
        }
        let isAddress = keys.hasPrefix("https://") || keys.hasPrefix("http://")
        var options = TokenIssuer(
            issuer: issuer, audience: audience, keys: isAddress ? .url(keys) : .file(keys), domain: self.tokenDomain)
        if let claim = self.tokenUserClaim { options.userClaim = claim }
        if let claim = self.tokenClientClaim { options.client = .claim(claim) }
        if let value = self.tokenAskBefore { options.askBefore = value }
        if let value = self.tokenClockSkew { options.clockSkew = value }
        if let value = self.tokenKeyRefresh { options.refreshInterval = value }
        options.allowsPrivateAddresses = self.tokenKeysMayBePrivate
        configuration.tokenIssuers = [options]
    }
}
