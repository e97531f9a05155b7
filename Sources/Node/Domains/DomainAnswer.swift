/// A domain's configuration, as the control API shows it (SPEC RM-4).
struct DomainAnswer: Encodable, Sendable, Equatable {
    /// Who says what a domain does.
    enum Source: String, Encodable, Sendable {
        /// The database: for all nodes.
        case stored
        /// The configuration of the node that answers: nothing is stored.
        case node
    }

    let domain: String
    /// What a change has to name; 0 where nothing is stored.
    let version: Int64
    /// What the node that answers goes by; less than ``version`` until it has read that, or where it cannot apply it.
    let applied: Int64
    let source: Source
    let configuration: JSONValue
    /// Milliseconds since 1970; nil where nothing is stored.
    let changed: Int64?
    /// The control key that has stored it.
    let author: String?
}
