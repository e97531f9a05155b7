/// What a request to a webhook is about: `X-Submergence-Kind`, and a label of metrics.
enum WebhookKind: String, Sendable, CaseIterable {
    case action, peerRequest, liveConnection, presence
}
