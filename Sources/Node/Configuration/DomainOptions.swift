/// What one domain is given beside its names.
public struct DomainOptions: Sendable, Equatable {
    /// Where its actions and hooks go over HTTP. Default: nowhere, so that no request is made.
    public var webhooks = WebhookOptions()

    public init() {}
}
