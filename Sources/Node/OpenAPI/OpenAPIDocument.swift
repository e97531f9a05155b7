internal import NIOCore

/// OpenAPI 3.1 of the actions that are not hidden, as `/.well-known/submergence/openapi.json` shows it.
///
/// What OpenAPI has no place for (regular expressions as paths, methods of one's own, a path that differs from another in
/// the kind of its last parameter only) is listed under `x-submergence-actions`, in the same form.
struct OpenAPIDocument {
    /// How who asks is known, which depends on the configuration.
    struct Credentials {
        /// The sessions' cookies.
        let session: String
        let domestic: String
        /// Whether tokens of other identity providers are taken.
        let takesTokens: Bool
    }

    private static let methods: [ActionMethod] = [.get, .put, .post, .delete, .options, .head, .patch]
    /// What an action for every method is listed as.
    private static let usual: [ActionMethod] = [.get, .post, .put, .patch, .delete]

    private let credentials: Credentials
    private var paths: [String: [String: JSONValue]] = [:]
    /// By the form of a path without its names: the template that was used first, and the names in it.
    private var templates: [String: OpenAPIPath] = [:]
    private var others: [JSONValue] = []
    private var schemas: [String: JSONValue] = [:]
    private var operationIDs: Set<String> = []

    /// - Parameter actions: compiled, in the order of their registration.
    static func json(_ actions: [Action], _ credentials: Credentials) -> JSONValue {
        var document = OpenAPIDocument(credentials)
        for action in actions where !action.options.isHidden { document.add(action) }
        return document.json
    }

    private init(_ credentials: Credentials) {
        self.credentials = credentials
    }

    private mutating func add(_ action: Action) {
        guard let path = OpenAPIPath(action.path) else {
            let operation = self.operation(action, path: nil, method: action.method ?? .get)
            self.addElsewhere(action, operation, pattern: true)
            return
        }
        let known = self.templates[path.shape] ?? path
        let isSame = known.hasRest == path.hasRest
        if isSame { self.templates[path.shape] = known }
        var isPlaced = false
        for method in action.method.map({ [$0] }) ?? Self.usual {
            let key = method.rawValue.lowercased()
            guard isSame, Self.methods.contains(method) else { continue }
            isPlaced = true
            // The first action answers.
            guard self.paths[known.template]?[key] == nil else { continue }
            self.paths[known.template, default: [:]][key] = self.operation(action, path: known, method: method)
        }
        if !isPlaced {
            self.addElsewhere(
                action, self.operation(action, path: path, method: action.method ?? .get), pattern: false)
        }
    }

    private mutating func addElsewhere(_ action: Action, _ operation: JSONValue, pattern: Bool) {
        self.others.append([
            "method": .string(action.method?.rawValue ?? "*"),
            (pattern ? "pattern" : "path"): .string(action.path.description), "operation": operation,
        ])
    }

    private mutating func operation(_ action: Action, path: OpenAPIPath?, method: ActionMethod) -> JSONValue {
        let id = self.operationID(method, action.path.description)
        var query: JSONValue?
        var body: JSONValue?
        if !action.options.hidesSchema, case .object(let published) = action.schemas?.published {
            query = published["query"].map { self.placed($0, name: id + "Query") }
            body = published["body"].map { self.placed($0, name: id + "Body") }
        }
        return OpenAPIOperation(
            id: id, action: action, method: method, path: path, query: query, body: body,
            bodyTypes: action.options.hidesSchema ? nil : action.schemas?.bodyTypes,
            takesTokens: self.credentials.takesTokens
        ).json
    }

    /// A schema as it can stand in the document: one that refers to parts of itself gets a place of its own.
    private mutating func placed(_ schema: JSONValue, name: String) -> JSONValue {
        var hasReferences = false
        let root = "#/components/schemas/" + name
        var moved = SchemaKeyword.mapReferences(in: schema) { reference in
            hasReferences = true
            return root + reference.dropFirst()
        }
        if case .object(var members) = moved {
            // They would make the references relative to something else.
            members["$id"] = nil
            members["$schema"] = nil
            moved = .object(members)
        }
        guard hasReferences else { return moved }
        self.schemas[name] = moved
        return .object(["$ref": .string(root)])
    }

    /// `putPostsById`, and a number where that is taken.
    private mutating func operationID(_ method: ActionMethod, _ path: String) -> String {
        var id = String(method.rawValue.lowercased().filter { $0.isASCII && ($0.isLetter || $0.isNumber) })
        for part in path.split(separator: "/") {
            let words = part.split { !($0.isASCII && ($0.isLetter || $0.isNumber)) }
            if part.hasPrefix(":"), !words.isEmpty { id += "By" }
            for word in words { id += word.prefix(1).uppercased() + word.dropFirst() }
        }
        var unique = id
        var number = 2
        while !self.operationIDs.insert(unique).inserted {
            unique = "\(id)\(number)"
            number += 1
        }
        return unique
    }

    private var json: JSONValue {
        var document: [String: JSONValue] = [
            "openapi": "3.1.0",
            "info": [
                "title": "Actions", "version": .string(Version.text),
                "description":
                    "Answers are JSON, {content, events}, or a page where one is preferred. Errors have the same form.",
            ],
            "jsonSchemaDialect": .string(SchemaKeyword.dialect),
            "paths": .object(self.paths.mapValues { .object($0) }),
            "components": .object([
                "schemas": .object(self.schemas.merging(OpenAPIAnswers.schemas) { own, _ in own }),
                "responses": OpenAPIAnswers.responses,
                "securitySchemes": .object(self.securitySchemes),
            ]),
        ]
        if !self.others.isEmpty { document["x-submergence-actions"] = .array(self.others) }
        return .object(document)
    }

    private var securitySchemes: [String: JSONValue] {
        var schemes: [String: JSONValue] = [
            "session": [
                "type": "apiKey", "in": "cookie", "name": .string(self.credentials.session),
                "description": "The session that a login has made.",
            ],
            "domestic": [
                "type": "apiKey", "in": "header", "name": "X-Domestic",
                "description": .string(
                    "The value of the cookie \(self.credentials.domestic), which only the application's own pages can read."
                ),
            ],
        ]
        if self.credentials.takesTokens {
            schemes["token"] = [
                "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                "description":
                    "A token of an identity provider. It proves domesticity, too, unless a foreign page sends it.",
            ]
        }
        return schemes
    }
}
