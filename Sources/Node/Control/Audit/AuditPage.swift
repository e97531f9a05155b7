/// What one node answers another one that asks for its audit.
struct AuditPage: Codable, Sendable {
    /// Its name, or its id.
    var node: String
    var entries: [AuditEntry]
}
