import ArgumentParser
import Foundation
import Node

/// Flags of webhooks (SPEC RM-2, docs/webhooks.md). Target, actions and hooks are the first domain's; others are told
/// theirs by the control API, or by the library's `DomainOptions`. Secrets come from files or the environment only: a
/// command line is seen by everybody on the machine.
struct WebhookFlags: ParsableArguments {
    /// Where secrets are looked for when no file is named.
    static let secretVariable = "SUBMERGENCE_WEBHOOK_SECRET"

    @Option(
        help: ArgumentHelp(
            "Where actions and hooks of the first domain go, e.g. https://backend.app.example/hooks.", valueName: "url")
    )
    var webhook: String?

    @Option(
        help: ArgumentHelp(
            "An action that is forwarded, e.g. 'POST /posts/:id', '* /board/*' or 'GET ~/p/[0-9]+' (a regular "
                + "expression). May be repeated.", valueName: "action"))
    var webhookAction: [String] = []

    @Option(
        help: ArgumentHelp(
            "A hook that goes there: peerRequest, liveConnection or presence. May be repeated.", valueName: "hook"))
    var webhookHook: [String] = []

    @Option(
        help: ArgumentHelp(
            "File of mode 0600 with the secret that requests are signed by, 32 characters or more, or with two of them, one a "
                + "line, while one replaces the other. Default: $SUBMERGENCE_WEBHOOK_SECRET.", valueName: "path"))
    var webhookSecretFile: String?

    @Option(
        help: ArgumentHelp(
            "File with the secrets of another domain than the first, e.g. shop.example=/etc/submergence/shop-secret. May be "
                + "repeated.", valueName: "domain=path"))
    var webhookDomainSecret: [String] = []

    @Option(help: ArgumentHelp("How long a request may take. Default: 10.", valueName: "seconds"))
    var webhookTimeout: Double?

    @Option(help: ArgumentHelp("Requests to a target at one time. Default: 64.", valueName: "count"))
    var webhookConcurrency: Int?

    @Option(help: ArgumentHelp("Requests that wait for their turn. Default: 1000.", valueName: "count"))
    var webhookWaiting: Int?

    @Option(
        help: ArgumentHelp(
            "Failures in a row after which a target is left alone for a while; 0: never. Default: 20.",
            valueName: "count"))
    var webhookBreakerThreshold: Int?

    @Option(help: ArgumentHelp("For how long. Default: 5.", valueName: "seconds"))
    var webhookBreakerPause: Double?

    @Option(
        help: ArgumentHelp(
            "Addresses that are not public and to which webhooks may go all the same, also by http, e.g. 10.1.0.0/16. May be "
                + "repeated.", valueName: "cidr"))
    var webhookPrivateTarget: [String] = []

    func validate() throws {
        for text in self.webhookAction where WebhookAction(text) == nil {
            throw ValidationError("--webhook-action takes 'METHOD /path', '* /path' or '/path', not '\(text)'")
        }
        for text in self.webhookHook where WebhookOptions.Hook(rawValue: text) == nil {
            let names = WebhookOptions.Hook.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("--webhook-hook takes one of \(names), not '\(text)'")
        }
        guard self.webhook != nil || (self.webhookAction.isEmpty && self.webhookHook.isEmpty) else {
            throw ValidationError("--webhook-action and --webhook-hook need --webhook")
        }
        for text in self.webhookDomainSecret where DomainSecret(text) == nil {
            throw ValidationError("--webhook-domain-secret takes 'shop.example=/path', not '\(text)'")
        }
    }

    func apply(to configuration: inout Configuration) {
        configuration.webhookPrivateTargets = self.webhookPrivateTarget
        var own = self.ownOptions
        // In development mode there is one domain, which has no need to be named.
        if configuration.domains.isEmpty, own != WebhookOptions() { configuration.domains = [.init("localhost")] }
        for index in configuration.domains.indices {
            let isWildcard = configuration.domains[index].name.hasPrefix("*.")
            // Such have no webhooks; that one was to have them is complained of elsewhere.
            if !isWildcard || own.target != nil { configuration.domains[index].options.webhooks = own }
            // Target and secret are the first one's, limits every domain's.
            own.target = nil
            (own.actions, own.hooks, own.secrets) = ([], [], .none)
        }
        for secret in self.webhookDomainSecret.compactMap({ DomainSecret($0) }) {
            for index in configuration.domains.indices where configuration.domains[index].name == secret.domain {
                configuration.domains[index].options.webhooks.secrets = .file(secret.path)
            }
        }
    }

    /// The domains that secrets are named for.
    var domainsOfSecrets: [String] { self.webhookDomainSecret.compactMap { DomainSecret($0)?.domain } }

    /// Those of the first domain.
    private var ownOptions: WebhookOptions {
        var webhooks = WebhookOptions()
        webhooks.target = self.webhook
        if let file = self.webhookSecretFile {
            webhooks.secrets = .file(file)
        } else if self.webhook != nil || ProcessInfo.processInfo.environment[Self.secretVariable] != nil {
            webhooks.secrets = .environment(Self.secretVariable)
        }
        webhooks.actions = self.webhookAction.compactMap { WebhookAction($0) }
        webhooks.hooks = Set(self.webhookHook.compactMap { WebhookOptions.Hook(rawValue: $0) })
        if let value = self.webhookTimeout { webhooks.timeout = value }
        if let value = self.webhookConcurrency { webhooks.concurrency = value }
        if let value = self.webhookWaiting { webhooks.waiting = value }
        if let value = self.webhookBreakerThreshold { webhooks.breakerThreshold = value }
        if let value = self.webhookBreakerPause { webhooks.breakerPause = value }
        return webhooks
    }

    /// `shop.example=/etc/submergence/shop-secret`.
    private struct DomainSecret {
        let domain: String
        let path: String

        init?(_ text: String) {
            let parts = text.split(separator: "=", maxSplits: 1)
            guard parts.count == 2, !parts[0].hasPrefix("=") else { return nil }
            (self.domain, self.path) = (String(parts[0]), String(parts[1]))
        }
    }
}
