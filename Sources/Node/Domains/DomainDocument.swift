/// What a domain's configuration says (SPEC RM-4, docs/webhooks.md): where its actions and hooks go, and which. Limits
/// and secrets are the node's own.
struct DomainDocument: Sendable, Equatable {
    var target: String?
    var hooks: Set<WebhookOptions.Hook> = []
    /// In their order.
    var actions: [WebhookAction] = []

    init() {}

    /// What a node's own configuration says.
    init(_ options: WebhookOptions) {
        self.target = options.target
        self.hooks = options.hooks
        self.actions = options.actions
    }

    /// In place of what the node's own configuration says of the same.
    func options(over own: WebhookOptions) -> WebhookOptions {
        var options = own
        options.target = self.target
        options.hooks = self.hooks
        options.actions = self.actions
        return options
    }

    /// As it could have been stored.
    var json: JSONValue {
        var members: [String: JSONValue] = [:]
        members["target"] = self.target.map { .string($0) }
        if !self.hooks.isEmpty { members["hooks"] = .array(self.hooks.map(\.rawValue).sorted().map { .string($0) }) }
        if !self.actions.isEmpty { members["actions"] = .array(self.actions.map { Self.entry(of: $0) }) }
        return .object(members)
    }

    private static func entry(of action: WebhookAction) -> JSONValue {
        let text = "\(action.method?.rawValue ?? "*") \(action.isPattern ? "~" : "")\(action.path)"
        let usual = ActionOptions()
        let options = action.options
        var members: [String: JSONValue] = [:]
        if !action.requirements.isEmpty {
            members["requires"] = .array(
                Self.requirements.filter { action.requirements.contains($0.value) }.map { .string($0.word) })
        }
        if case .value(let schema) = options.querySchema?.form { members["query"] = schema }
        if case .value(let schema) = options.bodySchema?.form { members["body"] = schema }
        if options.maxBodyLength != usual.maxBodyLength {
            members["maxBodyLength"] = .int(Int64(options.maxBodyLength))
        }
        if options.bufferFiles != usual.bufferFiles { members["maxFilesLength"] = .int(Int64(options.bufferFiles)) }
        if options.timeLimit != usual.timeLimit {
            members["timeLimit"] = .double(
                Double(options.timeLimit.components.seconds) + Double(options.timeLimit.components.attoseconds) / 1e18)
        }
        if options.neverBuffer { members["streams"] = true }
        if options.isHidden { members["hidden"] = true }
        guard !members.isEmpty else { return .string(text) }
        members["action"] = .string(text)
        return .object(members)
    }

    /// What an action may ask of its requester, by the words of a configuration.
    static let requirements: [(word: String, value: ActionRequirements)] = [
        ("identified", .identified), ("loggedIn", .loggedIn), ("domestic", .domestic),
    ]
}
