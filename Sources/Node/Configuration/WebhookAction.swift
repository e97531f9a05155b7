/// An action that is answered by a domain's webhook (SPEC RM-2). It is routed, authorised, limited and checked like one in
/// Swift; what remains goes to the target.
public struct WebhookAction: Sendable, Equatable {
    /// nil for every method.
    public var method: ActionMethod?
    /// A path with `:name` and `*` as in ``ActionPath``, or a regular expression.
    public var path: String
    /// Whether ``path`` is a regular expression.
    public var isPattern: Bool
    public var requirements: ActionRequirements
    public var options: ActionOptions

    public init(
        _ method: ActionMethod?, _ path: String, isPattern: Bool = false,
        requires requirements: ActionRequirements = [],
        options: ActionOptions = ActionOptions()
    ) {
        self.method = method
        self.path = path
        self.isPattern = isPattern
        self.requirements = requirements
        self.options = options
    }

    /// - Parameter text: `POST /posts/:id`, `* /posts/*` or `/posts`; `~` before the path makes it a regular expression. Nil
    ///   where it is nothing of the kind.
    public init?(_ text: String) {
        let parts = text.split(separator: " ", omittingEmptySubsequences: true)
        guard let last = parts.last, parts.count <= 2 else { return nil }
        var method: ActionMethod?
        if parts.count == 2, parts[0] != "*" {
            guard parts[0].utf8.allSatisfy({ (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) }) else { return nil }
            method = ActionMethod(rawValue: String(parts[0]))
        }
        let isPattern = last.hasPrefix("~")
        self.init(method, String(isPattern ? last.dropFirst() : last), isPattern: isPattern)
    }

    var actionPath: ActionPath { self.isPattern ? .pattern(self.path) : ActionPath(self.path) }

    /// As in logs and metrics.
    var name: String { "\(self.method?.rawValue ?? "*") \(self.path)" }

    /// What is wrong with it, in words; nil when nothing is.
    var complaint: String? {
        do {
            _ = try ActionRouter([Action(self.method, self.actionPath, options: self.options) { _, _, _ in }])
            return nil
        } catch {
            return "\(error)"
        }
    }
}
