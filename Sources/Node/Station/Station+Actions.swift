import NIOCore
import Routing

extension Station {
    /// Does something of it before the port opens, in the order of registration: loads what actions need, makes indexes
    /// (SPEC AC-14). Sessions can be changed by then and actions run, but nothing can be sent. What it throws stops the
    /// start with a ``StartError``.
    /// - Parameter name: what is said to have failed.
    public func setup(_ name: String = "a setup hook", _ hook: @escaping @Sendable () async throws -> Void) {
        self.register { $0.setup.append(SetupHook(name: name, run: hook)) }
    }

    /// An agent for ``run(_:_:as:query:body:)``: a person of the application's choice, as if by a request of theirs. It has no
    /// session, but may get one: `setActive`, `setIdle` and `logout` work while the station runs.
    ///
    /// - Parameters:
    ///   - user: nil for a guest.
    ///   - standing: nil: active with a user, else a guest.
    ///   - domain: nil: the one that is configured.
    /// - Throws: ``StationError``.
    public func agent(
        user: String? = nil, client: String? = nil, domain: String? = nil, standing: Agent.Standing? = nil,
        isDomestic: Bool = true, address: String = "127.0.0.1"
    ) throws(StationError) -> Agent {
        let running = try self.current()
        for identifier in [user, client].compactMap(\.self) where !Identifier.isValid(identifier) {
            throw .invalidIdentifier(identifier)
        }
        return running.authority.agent(
            believing: user, client: client, in: try running.domain(domain),
            standing: standing ?? (user == nil ? .guest : .active), isDomestic: isDomestic, address: address)
    }

    /// Runs an action here, without HTTP or a socket, through the same pipeline: route, requirements, schemas, time limit and
    /// log are the same (SPEC AC-14).
    ///
    /// ```swift
    /// let result = try await station.run(.put, "/posts/1", as: station.agent(user: "alice", client: "laptop"), body: post)
    /// ```
    ///
    /// Whatever goes wrong in the action is a status, as for any requester. What the agent's changes of its session would set as
    /// cookies goes nowhere.
    ///
    /// - Parameters:
    ///   - target: a path, perhaps with a query.
    ///   - agent: from ``agent(user:client:domain:standing:isDomestic:address:)``, or that of a request under way.
    ///   - query: beside that of the target, and instead of what has the same name there.
    ///   - body: goes as JSON.
    /// - Throws: ``StationError/notRunning``, or `EncodingError` of the body.
    public func run(
        _ method: ActionMethod, _ target: String, as agent: Agent, query: [String: String] = [:],
        body: (any Encodable & Sendable)? = nil
    ) async throws -> ActionResult {
        let pipeline = try self.current().pipeline
        var bytes: ByteBuffer?
        if let body {
            var text = ByteBuffer()
            try JSONValue(encoding: body).write(to: &text)
            bytes = text
        }
        return ActionResult(
            await pipeline.run(
                ActionCall(
                    transport: .process, method: method, target: target, domain: agent.domain, address: agent.address,
                    contentType: bytes == nil ? nil : "application/json",
                    body: bytes.map { ActionCall.Body.bytes($0) } ?? ActionCall.Body.none,
                    query: query, hasProof: true, authenticate: { agent })))
    }
}

/// What runs before the port opens.
struct SetupHook: Sendable {
    let name: String
    let run: @Sendable () async throws -> Void
}

extension [SetupHook] {
    /// One after the other; the first that fails ends it.
    /// - Throws: ``StartError``.
    func runAll() async throws {
        for hook in self {
            do {
                try await hook.run()
            } catch let error as StartError {
                throw error
            } catch {
                throw StartError(
                    "cannot set up: \(hook.name) failed", why: "\(error)",
                    remedy: "Mend what it needs, then start again.")
            }
        }
    }
}
