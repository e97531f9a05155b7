/// One action as an operation of OpenAPI.
struct OpenAPIOperation {
    let id: String
    let action: Action
    let method: ActionMethod
    /// nil for a regular expression.
    let path: OpenAPIPath?
    /// Schemas as they stand in the document; nil without, or where they are not shown.
    let query: JSONValue?
    let body: JSONValue?
    /// The types that the body's schema allows; nil for any.
    let bodyTypes: SchemaTypes?
    /// Whether tokens of other identity providers are taken.
    let takesTokens: Bool

    var json: JSONValue {
        var members: [String: JSONValue] = ["operationId": .string(self.id), "responses": .object(self.responses)]
        let parameters = self.pathParameters + self.queryParameters
        if !parameters.isEmpty { members["parameters"] = .array(parameters) }
        if let requestBody = self.requestBody { members["requestBody"] = requestBody }
        if let description = self.description { members["description"] = .string(description) }
        if let security = self.security { members["security"] = security }
        return .object(members)
    }

    private var description: String? {
        var words: [String] = []
        if self.action.requirements.contains(.loggedIn) {
            words.append("Requires a login.")
        } else if self.action.requirements.contains(.identified) {
            words.append("Requires a known user and device, though perhaps not logged in.")
        }
        if self.action.requirements.contains(.domestic) {
            words.append("Requires proof that the request comes from the application's own pages.")
        }
        if self.path?.hasRest == true {
            words.append("The last parameter takes the rest of the path, slashes included.")
        }
        return words.isEmpty ? nil : words.joined(separator: " ")
    }

    /// A proof of domesticity belongs to a session; a token stands for both.
    private var security: JSONValue? {
        guard !self.action.requirements.isEmpty else { return nil }
        var schemes: [String: JSONValue] = ["session": []]
        if self.action.requirements.contains(.domestic) { schemes["domestic"] = [] }
        return self.takesTokens ? [.object(schemes), ["token": []]] : [.object(schemes)]
    }

    private var pathParameters: [JSONValue] {
        (self.path?.names ?? []).enumerated().map { index, name in
            let isRest = self.path?.hasRest == true && index == (self.path?.names.count ?? 0) - 1
            let schema: JSONValue = isRest ? ["type": "string"] : ["type": "string", "minLength": 1]
            return ["name": .string(name), "in": "path", "required": true, "schema": schema]
        }
    }

    /// Each property of the schema, where it is an object that shows them, else the query as a whole.
    private var queryParameters: [JSONValue] {
        guard let query = self.query else { return [] }
        guard case .object(let schema) = query, case .object(let properties) = schema["properties"],
            schema["$ref"] == nil, schema["allOf"] == nil, schema["anyOf"] == nil, schema["oneOf"] == nil
        else {
            guard query != true, query != [:] else { return [] }
            return [
                ["name": "query", "in": "query", "style": "form", "explode": true, "required": false, "schema": query]
            ]
        }
        var required: Set<String> = []
        if case .array(let names) = schema["required"] { required.formUnion(names.compactMap(\.string)) }
        return properties.sorted { $0.key < $1.key }.map { name, schema in
            var parameter: [String: JSONValue] = [
                "name": .string(name), "in": "query", "required": .bool(required.contains(name)), "schema": schema,
            ]
            if let description = schema["description"] { parameter["description"] = description }
            return .object(parameter)
        }
    }

    private var takesBody: Bool {
        guard !self.action.options.rejectsBody else { return false }
        return self.action.options.bodySchema != nil || [.post, .put, .patch].contains(self.method)
    }

    private var requestBody: JSONValue? {
        guard self.takesBody else { return nil }
        guard !self.action.options.neverBuffer else {
            return ["required": false, "content": ["*/*": ["schema": true]]]
        }
        let schema = self.body ?? true
        var content: [String: JSONValue] = ["application/json": ["schema": schema]]
        if self.bodyTypes?.contains(.object) ?? true {
            for type in ["application/x-www-form-urlencoded", "multipart/form-data"] {
                content[type] = ["schema": self.body ?? ["type": "object"]]
            }
        }
        if self.bodyTypes?.contains(.string) ?? true {
            content["text/plain"] = ["schema": self.body ?? ["type": "string"]]
        }
        if self.action.options.binaryStreams, self.body == nil { content["*/*"] = ["schema": true] }
        return ["required": .bool(self.action.options.bodySchema != nil), "content": .object(content)]
    }

    private var responses: [String: JSONValue] {
        var codes = [400, 403, 404, 405, 421, 429, 500, 503, 504]
        // Whatever the action requires: who sends one that is not taken is told so, and is no guest.
        if self.takesTokens { codes.append(401) }
        if self.takesBody || self.action.options.rejectsBody { codes += [408, 413, 415] }
        var responses: [String: JSONValue] = [
            "200": ["$ref": "#/components/responses/Answer"], "default": ["$ref": "#/components/responses/Error"],
        ]
        for code in codes {
            responses[String(code)] = .object(["$ref": .string("#/components/responses/Error\(code)")])
        }
        return responses
    }
}
