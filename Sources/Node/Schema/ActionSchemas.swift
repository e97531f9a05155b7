/// The compiled schemas of one action.
struct ActionSchemas: Sendable {
    private struct Compiled {
        let schema: JSONSchema
        let flat: FlatValues
    }

    private let query: Compiled?
    private let body: Compiled?
    private let work: Int

    init(_ options: ActionOptions) throws(ActionSchemaError) {
        self.query = try Self.compile("query", options.querySchema)
        self.body = try Self.compile("body", options.bodySchema)
        self.work = options.maxSchemaWork
        if let name = self.query?.flat.impossible {
            throw ActionSchemaError(
                description:
                    "the schema of its query: a query has flat strings, so \"\(name)\" cannot be an array or object")
        }
    }

    private static func compile(_ place: String, _ schema: ActionSchema?) throws(ActionSchemaError) -> Compiled? {
        switch schema?.form {
        case nil: return nil
        case .invalid(let why): throw ActionSchemaError(description: "the schema of its \(place): \(why)")
        case .value(let source):
            do {
                let schema = try JSONSchema(source)
                return Compiled(schema: schema, flat: FlatValues(schema))
            } catch {
                throw ActionSchemaError(
                    description: "the schema of its \(place), at \"\(error.pointer)\", \(error.why)")
            }
        }
    }

    /// - Returns: the query as the schema sees it; nil without a schema.
    /// - Throws: 400 `SCHEMA` (SPEC AC-6).
    func check(query: [String: String]) throws(ActionError) -> JSONValue? {
        guard let schema = self.query else { return nil }
        let value = schema.flat.value(of: query)
        try self.check(value, schema, at: "query")
        return value
    }

    /// - Returns: the body as the schema sees it; nil without a schema.
    /// - Throws: 400 `SCHEMA` (SPEC AC-6).
    func check(body: ActionRequest.Body) throws(ActionError) -> JSONValue? {
        guard let schema = self.body else { return nil }
        var value = body.value
        if case .form(let fields) = body { value = schema.flat.value(of: fields) }
        guard let value else { throw .schema(at: "body", path: "", message: "is required") }
        try self.check(value, schema, at: "body")
        return value
    }

    private func check(_ value: JSONValue, _ compiled: Compiled, at place: String) throws(ActionError) {
        guard let failure = compiled.schema.failure(of: value, work: self.work) else { return }
        throw .schema(at: place, path: failure.path, message: failure.message)
    }

    /// The types that the body's schema allows; nil for any.
    var bodyTypes: SchemaTypes? { self.body?.schema.types }

    /// For OPTIONS: `{query?, body?}`; nil without schemas.
    var published: JSONValue? {
        var members: [String: JSONValue] = [:]
        members["query"] = self.query?.schema.source
        members["body"] = self.body?.schema.source
        return members.isEmpty ? nil : .object(members)
    }
}

struct ActionSchemaError: Error, Sendable, Equatable {
    let description: String
}

extension ActionRequest.Body {
    /// What schemas and decoders see: JSON as it is, a form as an object of strings, a text as a string; nil without one.
    var value: JSONValue? {
        switch self {
        case .none: nil
        case .json(let value): value
        case .form(let fields): .object(fields.mapValues { .string($0) })
        case .text(let text): .string(text)
        }
    }
}
