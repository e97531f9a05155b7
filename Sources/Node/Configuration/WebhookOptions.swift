/// Where a domain's actions and hooks go over HTTP, so that its backend may be in any language (SPEC RM-2, docs/webhooks.md).
///
/// Where a configuration is stored for the domain (`PUT /v1/config/{domain}`) that one says ``target``, ``actions`` and
/// ``hooks``; all else is the node's own.
public struct WebhookOptions: Sendable, Equatable {
    /// A hook that is asked or told. Without one in ``WebhookOptions/hooks`` there is no request for it.
    public enum Hook: String, Sendable, Hashable, CaseIterable {
        /// Judges requests for Links; one that fails denies. It takes the place of ``Station/on(_:_:)-(LinkHook,_)``.
        case peerRequest
        /// Told of each connection that has come live; events in its answer go there.
        case liveConnection
        /// Told of every change of presence, in order for each user.
        case presence
    }

    /// Where requests are signed from. Never on a command line or in the configuration itself (SPEC OP-1).
    public enum Secrets: Sendable, Equatable {
        case none
        /// A file of mode 0600 with one secret a line, at most two, each 32 to 1,024 printable characters without spaces: all
        /// of them sign, so that one can be replaced by another. Read again every ``Configuration/signingKeyRefresh`` seconds.
        case file(String)
        /// The variable of the environment that holds them, separated by spaces or line ends.
        case environment(String)
        /// The secrets, as from a vault of the application's own.
        case values([String])
    }

    /// An absolute address. `https` to public addresses, unless ``Configuration/webhookPrivateTargets`` allows others. Default
    /// none: there are no requests.
    public var target: String?
    public var secrets = Secrets.none
    /// The actions that are forwarded; looked at in this order, behind those of the application itself.
    public var actions: [WebhookAction] = []
    public var hooks: Set<Hook> = []
    /// Seconds for one request as a whole, 0.1 to 60. Default 10. A presence handler has 10 s for all of its attempts together,
    /// and an action at most its own ``ActionOptions/timeLimit``.
    public var timeout = 10.0
    /// Bytes of an answer, 1,024 to 16 MiB; what is longer counts as failed. Default 1 MiB. A streamed answer is not limited.
    public var maxAnswerLength = 1_048_576
    /// Requests to the target at one time, 1 to 1,000. Default 64.
    public var concurrency = 64
    /// Requests that wait for their turn, 0 to 100,000; beyond them an action is answered 503, and a hook counts as failed.
    /// Default 1,000.
    public var waiting = 1_000
    /// Repetitions of a presence delivery that has failed, 0 to 10, with the same sequence number. Default 3.
    public var presenceRetries = 3
    /// Failures in a row after which nothing is sent to the target for ``breakerPause``, 0 to 1,000; 0: never. Default 20.
    public var breakerThreshold = 20
    /// Seconds, 0.1 to 3,600, after which one request tries whether the target is back. Default 5.
    public var breakerPause = 5.0

    /// Forwarded actions of one domain.
    static let mostActions = 1_000

    public init() {}

    /// Whether there is anything that could cause a request.
    var isUsed: Bool { self.target != nil && !(self.actions.isEmpty && self.hooks.isEmpty) }

    /// All that is wrong with the options, in words; empty when nothing is.
    var complaints: [String] {
        var complaints: [String] = []
        if let target = self.target {
            if OutboundAddress(target) == nil {
                complaints.append("\"\(target.prefix(80))\" is no http or https address of at most 2,048 characters")
            } else if target.contains("#") {
                complaints.append("an address of webhooks has no fragment")
            }
            if self.secrets == .none {
                complaints.append("a target needs a secret to sign by (a file or the environment)")
            }
        } else {
            if !self.actions.isEmpty { complaints.append("there are actions to forward, but no target") }
            if !self.hooks.isEmpty { complaints.append("there are hooks, but no target") }
        }
        if self.actions.count > Self.mostActions {
            complaints.append("there are more than \(Self.mostActions) actions to forward")
        }
        complaints += self.actions.prefix(Self.mostActions).compactMap(\.complaint)
        func check(_ isGood: Bool, _ complaint: String) {
            if !isGood { complaints.append(complaint) }
        }
        check((0.1...60).contains(self.timeout), "timeout must be 0.1 to 60 seconds")
        check((1_024...16_777_216).contains(self.maxAnswerLength), "maxAnswerLength must be 1,024 bytes to 16 MiB")
        check((1...1_000).contains(self.concurrency), "concurrency must be 1 to 1,000")
        check((0...100_000).contains(self.waiting), "waiting must be 0 to 100,000")
        check((0...10).contains(self.presenceRetries), "presenceRetries must be 0 to 10")
        check((0...1_000).contains(self.breakerThreshold), "breakerThreshold must be 0 to 1,000")
        check((0.1...3_600).contains(self.breakerPause), "breakerPause must be 0.1 to 3,600 seconds")
        return complaints
    }
}
