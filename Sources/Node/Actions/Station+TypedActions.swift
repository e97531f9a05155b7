extension Station {
    /// Registers an action whose body is a value of a type. The type's JSON Schema is what OPTIONS and OpenAPI show, and
    /// what bodies are held to before they are decoded (SPEC AC-6): it is derived from how the type decodes, or is
    /// ``JSONSchemaProviding``'s, or the options' own. A type whose schema cannot be found stops the start.
    ///
    /// ```swift
    /// station.action(.put, "/posts/:id", requires: .domestic, body: Post.self) { post, request, agent, reply in
    ///     try await posts.store(post, as: request.params["id"], by: agent.user)
    /// }
    /// ```
    public func action<Body: Decodable & SendableMetatype>(
        _ method: ActionMethod?, _ path: ActionPath, requires requirements: ActionRequirements = [],
        options: ActionOptions = ActionOptions(), body: Body.Type,
        handler: @escaping @Sendable (Body, ActionRequest, Agent, Reply) async throws -> Void
    ) {
        self.action(method, path, requires: requirements, options: options.typed(body: body)) { request, agent, reply in
            try await handler(try request.body(as: Body.self), request, agent, reply)
        }
    }

    /// The same, where what the handler returns is added to the content.
    public func action<Body: Decodable & SendableMetatype, Content: Encodable & SendableMetatype>(
        _ method: ActionMethod?, _ path: ActionPath, requires requirements: ActionRequirements = [],
        options: ActionOptions = ActionOptions(), body: Body.Type,
        handler: @escaping @Sendable (Body, ActionRequest, Agent, Reply) async throws -> Content
    ) {
        self.action(method, path, requires: requirements, options: options.typed(body: body)) { request, agent, reply in
            reply.content(try await handler(try request.body(as: Body.self), request, agent, reply))
        }
    }

    /// Registers an action whose query is a value of a type; its properties are strings, numbers, Booleans and
    /// enumerations of these, or optionals.
    public func action<Query: Decodable & SendableMetatype>(
        _ method: ActionMethod?, _ path: ActionPath, requires requirements: ActionRequirements = [],
        options: ActionOptions = ActionOptions(), query: Query.Type,
        handler: @escaping @Sendable (Query, ActionRequest, Agent, Reply) async throws -> Void
    ) {
        self.action(method, path, requires: requirements, options: options.typed(query: query)) {
            request, agent, reply in
            try await handler(try request.query(as: Query.self), request, agent, reply)
        }
    }

    /// The same, where what the handler returns is added to the content.
    public func action<Query: Decodable & SendableMetatype, Content: Encodable & SendableMetatype>(
        _ method: ActionMethod?, _ path: ActionPath, requires requirements: ActionRequirements = [],
        options: ActionOptions = ActionOptions(), query: Query.Type,
        handler: @escaping @Sendable (Query, ActionRequest, Agent, Reply) async throws -> Content
    ) {
        self.action(method, path, requires: requirements, options: options.typed(query: query)) {
            request, agent, reply in
            reply.content(try await handler(try request.query(as: Query.self), request, agent, reply))
        }
    }

    /// Registers an action whose query and body are values of types.
    public func action<Query: Decodable & SendableMetatype, Body: Decodable & SendableMetatype>(
        _ method: ActionMethod?, _ path: ActionPath, requires requirements: ActionRequirements = [],
        options: ActionOptions = ActionOptions(), query: Query.Type, body: Body.Type,
        handler: @escaping @Sendable (Query, Body, ActionRequest, Agent, Reply) async throws -> Void
    ) {
        self.action(method, path, requires: requirements, options: options.typed(query: query).typed(body: body)) {
            request, agent, reply in
            try await handler(
                try request.query(as: Query.self), try request.body(as: Body.self), request, agent, reply)
        }
    }

    /// The same, where what the handler returns is added to the content.
    public func action<
        Query: Decodable & SendableMetatype, Body: Decodable & SendableMetatype, Content: Encodable & SendableMetatype
    >(
        _ method: ActionMethod?, _ path: ActionPath, requires requirements: ActionRequirements = [],
        options: ActionOptions = ActionOptions(), query: Query.Type, body: Body.Type,
        handler: @escaping @Sendable (Query, Body, ActionRequest, Agent, Reply) async throws -> Content
    ) {
        self.action(method, path, requires: requirements, options: options.typed(query: query).typed(body: body)) {
            request, agent, reply in
            reply.content(
                try await handler(
                    try request.query(as: Query.self), try request.body(as: Body.self), request, agent, reply))
        }
    }
}

extension ActionOptions {
    func typed(query: (some Decodable).Type) -> ActionOptions {
        var options = self
        if options.querySchema == nil { options.querySchema = ActionSchema(of: query) }
        return options
    }

    func typed(body: (some Decodable).Type) -> ActionOptions {
        var options = self
        if options.bodySchema == nil { options.bodySchema = ActionSchema(of: body) }
        return options
    }
}
