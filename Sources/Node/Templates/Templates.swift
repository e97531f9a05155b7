internal import Mustache

/// Pages for browsers, in Mustache, of one action or of all (SPEC AC-9).
///
/// ```swift
/// station.templates(Templates(default: "<h1>{{status}}</h1>{{error}}", statuses: [404: "<h1>Nothing here</h1>"]))
/// ```
///
/// They are compiled when they are made; one that is wrong stops the start. A page is given to requesters that prefer HTML to
/// JSON. It is the action's for the status, else its default, else the global one for the status, else the global default,
/// else a plain page that shows the content.
///
/// A template sees the defaults, the content over them, and beside it: `agent` (`domain`, `user`, `client`, `standing`,
/// `isGuest`, `isIdle`, `isActive`, `isDomestic`) and `page` (`status`, `nonce`, `events`, `script`). `{{{page.script}}}` is
/// the element that carries the answer's events as JSON; where a page does not place it, it stands at the end. Scripts and
/// styles within the page need `nonce="{{page.nonce}}"`.
public final class Templates: Sendable, Hashable {
    /// What a page may do, where ``Templates`` are not told otherwise; `{nonce}` stands for the page's own.
    public static let policy =
        "default-src 'self'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; "
        + "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

    let fallback: MustacheTemplate?
    let statuses: [Int: MustacheTemplate]
    let library: MustacheLibrary
    let defaults: JSONValue
    let policy: String
    /// What is wrong with them, in words; nil when nothing is.
    let complaint: String?

    /// - Parameters:
    ///   - default: for every status that has none of its own; nil: the global ones answer.
    ///   - partials: what templates include as `{{>name}}`; none may include itself, by whatever way.
    ///   - defaults: an object under the content.
    ///   - policy: a `Content-Security-Policy`.
    public init(
        default: String? = nil, statuses: [Int: String] = [:], partials: [String: String] = [:],
        defaults: JSONValue = [:], policy: String = Templates.policy
    ) {
        var complaint: String?
        func compile(_ text: String, _ name: String) -> MustacheTemplate? {
            do { return try MustacheTemplate(string: text) } catch {
                complaint = complaint ?? "the template \(name): \(error)"
                return nil
            }
        }
        var library = MustacheLibrary()
        for (name, text) in partials {
            if let template = compile(text, name) { library.register(template, named: name) }
        }
        self.fallback = `default`.flatMap { compile($0, "default") }
        self.statuses = statuses.reduce(into: [:]) { $0[$1.key] = compile($1.value, String($1.key)) }
        self.library = library
        self.defaults = defaults
        self.policy = policy
        let all = [("default", `default` ?? "")] + statuses.map { (String($0.key), $0.value) }
        complaint = complaint ?? PartialGraph(partials).complaint(all)
        if case .object = defaults {} else { complaint = complaint ?? "the defaults of templates are an object" }
        if !policy.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) {
            complaint = complaint ?? "the policy is no header"
        }
        self.complaint = complaint
    }

    /// - Returns: nil where the next ones are to be asked.
    func template(for status: Int) -> MustacheTemplate? { self.statuses[status] ?? self.fallback }

    public static func == (one: Templates, other: Templates) -> Bool { one === other }

    public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}
