internal import NIOCore

/// What a webhook answers an action or a new connection: the reply document (docs/webhooks.md). Read strictly: what it does
/// not know is a mistake that its author has to learn of.
struct WebhookReply: Sendable, Equatable {
    enum Standing: String, Sendable, CaseIterable {
        case active, idle, logout
    }

    struct SessionChange: Sendable, Equatable {
        var standing: Standing
        var user: String?
        var client: String?
        var isRemembered: Bool?
    }

    var status: Int?
    var content: JSONValue?
    var events: [[JSONValue]] = []
    var html: String?
    var redirect: String?
    var agent: SessionChange?

    /// - Parameter body: empty: an empty reply.
    init(_ body: ByteBuffer) throws(WebhookFailure) {
        guard body.readableBytes > 0 else { return }
        for (name, value) in try Self.members(of: body) {
            switch name {
            case "status":
                guard let status = value.int, (200...599).contains(status) else {
                    throw .malformed("status must be 200 to 599")
                }
                self.status = Int(status)
            case "content": self.content = value
            case "events":
                guard case .array(let events) = value else { throw .malformed("events must be an array") }
                for event in events {
                    guard case .array(let parts) = event, parts.first?.string != nil else {
                        throw .malformed("an event is an array that begins with its name")
                    }
                    self.events.append(parts)
                }
            case "html": self.html = try Self.text(value, name)
            case "redirect": self.redirect = try Self.text(value, name)
            case "agent": self.agent = try Self.change(value)
            default: throw .malformed("it has a member \"\(name.prefix(40))\", which is not known")
            }
        }
    }

    static func members(of body: ByteBuffer) throws(WebhookFailure) -> [String: JSONValue] {
        let value: JSONValue
        do {
            value = try JSONValue(text: body)
        } catch {
            throw .malformed("it is not JSON (\(error))")
        }
        guard case .object(let members) = value else { throw .malformed("it is no object") }
        return members
    }

    static func text(_ value: JSONValue, _ name: String) throws(WebhookFailure) -> String {
        guard let text = value.string else { throw .malformed("\(name) must be a string") }
        return text
    }

    private static func change(_ value: JSONValue) throws(WebhookFailure) -> SessionChange {
        guard case .object(let members) = value, let word = members["set"]?.string,
            let standing = Standing(rawValue: word)
        else { throw .malformed("agent needs set: active, idle or logout") }
        var change = SessionChange(standing: standing)
        for (name, value) in members {
            switch name {
            case "set": break
            case "user": change.user = try self.text(value, "agent.user")
            case "client": change.client = try self.text(value, "agent.client")
            case "remember":
                guard let flag = value.bool else { throw .malformed("agent.remember must be true or false") }
                change.isRemembered = flag
            default: throw .malformed("agent has a member \"\(name.prefix(40))\", which is not known")
            }
        }
        guard standing != .logout || (change.user == nil && change.isRemembered == nil) else {
            throw .malformed("a logout is of the agent's own user: it takes client, and nothing else")
        }
        return change
    }

    /// Says it all to the requester.
    func apply(to reply: Reply, _ agent: Agent) async throws {
        if let change = self.agent {
            switch change.standing {
            case .active:
                try await agent.setActive(user: change.user, client: change.client, rememberMe: change.isRemembered)
            case .idle:
                try await agent.setIdle(user: change.user, client: change.client, rememberMe: change.isRemembered)
            case .logout: try await agent.logout(client: change.client)
            }
        }
        if let content = self.content { reply.content(content) }
        reply.events(self.events)
        if let html = self.html { reply.html(html) }
        if let redirect = self.redirect { try reply.redirect(redirect) }
        if let status = self.status { reply.done(status) }
    }
}

extension LinkDecision {
    /// `{"allow": true, "user": …, "client": …, "info": …}`, or `{"allow": false}`.
    init(webhook body: ByteBuffer) throws(WebhookFailure) {
        let members = try WebhookReply.members(of: body)
        guard let isAllowed = members["allow"]?.bool else { throw .malformed("allow must be true or false") }
        guard isAllowed else {
            self = .deny
            return
        }
        for name in members.keys where !["allow", "user", "client", "info"].contains(name) {
            throw .malformed("it has a member \"\(name.prefix(40))\", which is not known")
        }
        guard let user = members["user"]?.string else { throw .malformed("user must be a string") }
        var client: String?
        if let value = members["client"] { client = try WebhookReply.text(value, "client") }
        self = .allow(user: user, client: client, info: members["info"] ?? [:])
    }
}
