/// Something that a node has complained about in its log.
struct Problem: Codable, Sendable, Equatable {
    /// Milliseconds since 1970, of the newest time.
    var time: Int64
    /// `warning`, `error` or `critical`.
    var level: String
    var message: String
    /// As it was logged the newest time; long values are cut.
    var details: [String: String]
    /// How many times in a row.
    var count: Int
}
