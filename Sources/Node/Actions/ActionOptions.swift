/// Who may run an action (SPEC AC-4). Unmet, in this order: 403 with `GUEST`, `LOGIN` or `DOMESTIC`.
public struct ActionRequirements: OptionSet, Sendable, Hashable {
    public let rawValue: Int

    public init(rawValue: Int) {
        self.rawValue = rawValue
    }

    /// No guests: user and client are known, though perhaps not logged in (`allowGuests: false`).
    public static let identified = ActionRequirements(rawValue: 1)
    /// Logged in.
    public static let loggedIn = ActionRequirements(rawValue: 2)
    /// Same-origin script access was proved, so no other site is behind the request.
    public static let domestic = ActionRequirements(rawValue: 4)

    func complaint(about agent: Agent, deferring later: ActionRequirements = []) -> ActionError? {
        let due = self.subtracting(later)
        if due.contains(.identified), agent.isGuest { return ActionError(403, "GUEST") }
        if due.contains(.loggedIn), !agent.isActive { return ActionError(403, "LOGIN") }
        if due.contains(.domestic), !agent.isDomestic { return ActionError(403, "DOMESTIC") }
        return nil
    }
}

/// Limits and schemas of one action.
public struct ActionOptions: Sendable, Hashable {
    /// Bytes of a body, but those of buffered files; enforced while it is read, also as a stream (SPEC AC-5). Default 40,960.
    public var maxBodyLength: Int
    /// Any body is refused.
    public var rejectsBody: Bool
    /// Left out of the answer to OPTIONS (SPEC AC-11) and of OpenAPI.
    public var isHidden: Bool
    /// Then the answer is 504 and the handler's task is cancelled (SPEC AC-12). Default 30 s.
    public var timeLimit: Duration
    /// Bytes of all files of a `multipart/form-data` body together, which are kept in memory (SPEC AC-5). Default 64,000.
    public var bufferFiles: Int
    /// Bodies that are no JSON, form or text arrive as ``ActionRequest/stream``, whatever their type. Default false: 415.
    public var binaryStreams: Bool
    /// Every body arrives as ``ActionRequest/stream``. Default false.
    public var neverBuffer: Bool
    public var multipart: MultipartLimits
    /// Pages for requesters that prefer HTML; nil: the global ones (``Station/templates(_:)``).
    public var templates: Templates?
    /// What the query has to be: else 400 (SPEC AC-6). Its strings count as what the schema says they are: an integer, a
    /// number, true or false. Default: anything.
    public var querySchema: ActionSchema?
    /// What the body has to be, which then is required: else 400 (SPEC AC-6). A form counts as an object, its strings as
    /// those of a query; a text as a string. Default: anything.
    public var bodySchema: ActionSchema?
    /// The answer to OPTIONS, and OpenAPI, say that the action is there, but not its schemas (SPEC AC-11).
    public var hidesSchema: Bool
    /// What checking one query or body may cost, in steps of some ten nanoseconds; beyond it 400 `SCHEMA`. Default
    /// 10,000,000: only patterns that are large, on long texts, come near.
    public var maxSchemaWork: Int

    public init(
        maxBodyLength: Int = 40_960, rejectsBody: Bool = false, isHidden: Bool = false,
        timeLimit: Duration = .seconds(30), bufferFiles: Int = 64_000, binaryStreams: Bool = false,
        neverBuffer: Bool = false, multipart: MultipartLimits = MultipartLimits(), templates: Templates? = nil,
        querySchema: ActionSchema? = nil, bodySchema: ActionSchema? = nil, hidesSchema: Bool = false,
        maxSchemaWork: Int = 10_000_000
    ) {
        self.maxBodyLength = maxBodyLength
        self.rejectsBody = rejectsBody
        self.isHidden = isHidden
        self.timeLimit = timeLimit
        self.bufferFiles = bufferFiles
        self.binaryStreams = binaryStreams
        self.neverBuffer = neverBuffer
        self.multipart = multipart
        self.templates = templates
        self.querySchema = querySchema
        self.bodySchema = bodySchema
        self.hidesSchema = hidesSchema
        self.maxSchemaWork = maxSchemaWork
    }

    /// What is wrong with the options, in words; nil when nothing is.
    var complaint: String? {
        guard self.maxBodyLength >= 0, self.bufferFiles >= 0, self.timeLimit > .zero, self.maxSchemaWork > 0 else {
            return "its limits must be positive"
        }
        guard self.bodySchema == nil || !self.neverBuffer else {
            return "a body that is never buffered cannot be held to a schema"
        }
        return self.multipart.complaint ?? self.templates?.complaint
    }
}

/// Answers an action. Runs in a task of its own; what it throws becomes the answer (``ActionError``, or an opaque 500).
/// Unless ``Reply/done(_:)`` was called, the answer goes out when it returns.
public typealias ActionHandler = @Sendable (ActionRequest, Agent, Reply) async throws -> Void

/// A registered action.
package struct Action: Sendable {
    /// nil: every method.
    package let method: ActionMethod?
    package let path: ActionPath
    package let requirements: ActionRequirements
    package let options: ActionOptions
    package let handler: ActionHandler
    /// Set by the router, which refuses what cannot be compiled.
    var schemas: ActionSchemas?
    /// Its name in metrics, where that is another; for those whose names come from outside.
    var label: String?

    package init(
        _ method: ActionMethod?, _ path: ActionPath, requires requirements: ActionRequirements = [],
        options: ActionOptions = ActionOptions(), handler: @escaping ActionHandler
    ) {
        self.method = method
        self.path = path
        self.requirements = requirements
        self.options = options
        self.handler = handler
    }

    /// The action's name in logs and metrics.
    var name: String { "\(self.method?.rawValue ?? "*") \(self.path)" }
}
