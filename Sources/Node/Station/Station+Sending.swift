import NIOCore
import Routing
import Wire

extension Station {
    /// Sends an event to every live connection of a user, or of one of its devices, on all nodes (SPEC EV-1).
    ///
    /// - Parameters:
    ///   - domain: nil: the configured one; needed where there are several.
    ///   - delivery: what becomes of it for a connection that does not keep up.
    ///   - confirm: whether to ask the nodes what they have written; then the receipt has a ``Receipt/confirmation``.
    ///   - trace: write down what becomes of it, for `submergence why`; the receipt then has its id (``Receipt/event``). Only
    ///     with MongoDB.
    ///   - arguments: `[UInt8]` and `Data` go as binary, everything else as JSON.
    /// - Throws: ``StationError``, or `EncodingError` of an argument.
    @discardableResult
    public func send(
        to user: String, client: String? = nil, domain: String? = nil, delivery: EventDelivery = .required,
        confirm: SendConfirmation = .none, trace: Bool = false, _ event: String, _ arguments: any Encodable...
    ) async throws -> Receipt {
        let packet = try self.packet(event, arguments)
        let running = try self.current()
        let key = try running.key(domain: domain, user: user)
        return try await running.send(packet, to: key, client: client, delivery, confirm, trace: trace)
    }

    /// The same to several users: encoded once. The receipts are in the order of the users.
    @discardableResult
    public func send(
        to users: [String], domain: String? = nil, delivery: EventDelivery = .required,
        confirm: SendConfirmation = .none, trace: Bool = false, _ event: String, _ arguments: any Encodable...
    ) async throws -> [Receipt] {
        let packet = try self.packet(event, arguments)
        let running = try self.current()
        let keys = try users.map { try running.key(domain: domain, user: $0) }
        return try await withThrowingTaskGroup(of: (Int, Receipt).self) { group in
            for (index, key) in keys.enumerated() {
                group.addTask {
                    (index, try await running.send(packet, to: key, client: nil, delivery, confirm, trace: trace))
                }
            }
            var receipts: [Receipt?] = Array(repeating: nil, count: keys.count)
            for try await (index, receipt) in group { receipts[index] = receipt }
            return receipts.compactMap(\.self)
        }
    }

    /// Whether some live connection of the user, or of one of its devices, is on a node that is not held to be dead
    /// (SPEC EV-6).
    public func isActive(user: String, client: String? = nil, domain: String? = nil) async throws -> Bool {
        let running = try self.current()
        return try await running.isActive(try running.key(domain: domain, user: user), client: client)
    }

    /// Disconnects the user, or one of its devices, on every node; sessions stay (SPEC ID-14). Returns when every node has
    /// been told.
    public func kick(user: String, client: String? = nil, domain: String? = nil) async throws {
        let running = try self.current()
        let key = try running.key(domain: domain, user: user)
        try await running.revocation.kick(Kick(domain: key.domain, user: key.user, client: client))
    }

    /// Ends all sessions of the user, or of one of its devices, and with them its connections, on every node (SPEC ID-12,
    /// ID-13).
    public func logout(user: String, client: String? = nil, domain: String? = nil) async throws {
        let running = try self.current()
        let key = try running.key(domain: domain, user: user)
        try await running.revocation.revokeAll(
            Invalidation(domain: key.domain, user: key.user, client: client, reason: .logout))
    }

    /// Closes all Links of the user, or those of one of its devices, at once (SPEC LK-14).
    ///
    /// - Returns: how many there were.
    @discardableResult
    public func closeLinks(user: String, client: String? = nil, domain: String? = nil) async throws -> Int {
        let running = try self.current()
        return try await running.closeLinks(of: try running.key(domain: domain, user: user), client: client)
    }

    /// Reads the signing key file at once, and not only when its time has come (SPEC ID-2).
    ///
    /// - Returns: whether the keys are others than before.
    /// - Throws: ``StationError/unavailable(_:)`` for a file that cannot be used: the keys then stay as they are.
    @discardableResult
    public func reloadSigningKeys() throws(StationError) -> Bool {
        guard let watch = try self.current().keyWatch else { return false }
        do {
            return try watch.reload()
        } catch {
            throw .unavailable("\(error)")
        }
    }

    private func packet(_ event: String, _ arguments: [any Encodable]) throws -> OutboundPacket {
        try self.current().live.packet(event, arguments, namespace: "/")
    }
}
