extension Station {
    /// A namespace of the application's. It exists once something has been registered for it, or once it has been named here,
    /// before the station runs.
    /// - Parameter name: begins with a slash; `/` is the main one.
    public func namespace(_ name: String) -> Namespace {
        precondition(name.hasPrefix("/") && !name.contains(","), "a namespace begins with a slash and has no comma")
        self.registerUnlessRunning { registrations in
            if registrations.namespaces[name] == nil { registrations.namespaces[name] = NamespaceApplication() }
        }
        return Namespace(name, self)
    }

    /// Namespaces that clients make by asking for them. Patterns are asked in the order of their registration, for names that no
    /// namespace has; the first that accepts one takes it.
    /// - Parameter accepts: gets the name and the client's auth; what it throws refuses the client.
    public func namespaces(
        where accepts: @escaping @Sendable (_ name: String, _ auth: JSONValue) async throws -> Bool
    ) -> DynamicNamespace {
        let index = self.addPattern(accepts)
        return DynamicNamespace(self, index: index)
    }

    /// The sockets of the main namespace that are in one of the rooms, on all nodes.
    public func to(_ rooms: String...) -> Broadcast { Broadcast(station: self, domain: nil, "/").to(rooms) }

    /// Sends an event to all sockets of the main namespace, on all nodes.
    public func broadcast(_ event: String, _ arguments: any Encodable...) throws {
        try Broadcast(station: self, domain: nil, "/").emit(event, arguments: arguments)
    }
}
