/// Finds the action for a method and path: the first registered one that fits (SPEC AC-2, AC-11, AC-12).
package struct ActionRouter: Sendable {
    /// An action that cannot be registered; stops the start.
    package struct InvalidAction: Error, Sendable, Equatable, CustomStringConvertible {
        package let action: String
        package let why: String
        package var description: String { "the action \(self.action): \(self.why)" }
    }

    enum Match {
        case found(Action, params: [String: String])
        case badEscape
        case notAllowed(allow: [String])
        case notFound
    }

    /// In the order of their registration.
    let actions: [Action]

    package init(_ actions: [Action]) throws(InvalidAction) {
        var compiled: [Action] = []
        for var action in actions {
            if let complaint = action.path.complaint { throw InvalidAction(action: action.name, why: complaint) }
            if let complaint = action.options.complaint { throw InvalidAction(action: action.name, why: complaint) }
            do {
                action.schemas = try ActionSchemas(action.options)
            } catch {
                throw InvalidAction(action: action.name, why: error.description)
            }
            compiled.append(action)
        }
        self.actions = compiled
    }

    /// - Parameter path: raw, with its leading slash, without query.
    func match(_ method: ActionMethod, _ path: String) -> Match {
        guard let segments = ActionPath.segments(of: path) else { return .badEscape }
        var others: [Action] = []
        for action in self.actions {
            switch action.path.match(path, segments) {
            case .none: continue
            case .badEscape: return .badEscape
            case .params(let params):
                if Self.serves(action, method) { return .found(action, params: params) }
                others.append(action)
            }
        }
        return others.isEmpty ? .notFound : .notAllowed(allow: Self.allow(others))
    }

    /// The answer to OPTIONS: what there is at a path; nil when there is nothing.
    func options(_ path: String) -> (allow: [String], content: JSONValue)? {
        guard let segments = ActionPath.segments(of: path) else { return nil }
        let visible = self.actions.filter { action in
            guard !action.options.isHidden, case .params = action.path.match(path, segments) else { return false }
            return true
        }
        guard !visible.isEmpty else { return nil }
        let members = visible.map { action in
            (action.method?.rawValue ?? "*", action.options.hidesSchema ? true : action.schemas?.published ?? true)
        }
        return (Self.allow(visible), .object(Dictionary(members) { first, _ in first }))
    }

    /// HEAD runs what GET does.
    private static func serves(_ action: Action, _ method: ActionMethod) -> Bool {
        guard let own = action.method else { return true }
        return own == method || (method == .head && own == .get)
    }

    private static func allow(_ actions: [Action]) -> [String] {
        var methods: [String] = []
        for action in actions {
            let own: [ActionMethod] =
                switch action.method {
                case nil: [.get, .head, .post, .put, .patch, .delete]
                case .get: [.get, .head]
                case .some(let method): [method]
                }
            for method in own where !methods.contains(method.rawValue) { methods.append(method.rawValue) }
        }
        if !methods.contains("OPTIONS") { methods.append("OPTIONS") }
        return methods
    }
}
