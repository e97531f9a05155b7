/// What a configuration says about webhooks (SPEC RM-2).
extension Configuration {
    /// Every mistake, in one complaint.
    func webhookComplaints() -> [StartError] {
        var complaints: [String] = []
        let blocks = self.webhookPrivateTargets.filter { IPAddress.Block($0) == nil }
        complaints += blocks.map { "\"\($0)\" is no address and no CIDR block (webhookPrivateTargets)" }
        for domain in self.domains {
            let webhooks = domain.options.webhooks
            complaints += webhooks.complaints.map { "\(domain.name): \($0)" }
            // Whose name would the requests carry, and in which order would a host's hooks be looked for?
            if webhooks != WebhookOptions(), domain.name.hasPrefix("*.") {
                complaints.append("\(domain.name): a wildcard domain has no webhooks")
            }
            // Without an allowance no http target can ever be asked.
            if let target = webhooks.target, let address = OutboundAddress(target), !address.isSecure,
                self.webhookPrivateTargets.isEmpty
            {
                complaints.append("\(domain.name): \(target) is not https, and no private target is allowed")
            }
        }
        guard !complaints.isEmpty else { return [] }
        return [
            StartError(
                "the webhooks cannot work", why: complaints.joined(separator: "; "), remedy: "See docs/webhooks.md.",
                about: ["webhook", "webhook-action", "webhook-hook", "webhook-secret-file", "webhook-private-target"])
        ]
    }
}
