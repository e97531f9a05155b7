/// One receiving connection's part of the truth, taken at the end of a run.
struct ReceiverAccount: Sendable {
    let user: Int
    let ledger: DeliveryLedger
    let isLive: Bool
    let isSlow: Bool
    let slow: SlowReader?
}

/// What became of a slow reader.
struct SlowReader: Sendable, Encodable {
    let index: Int
    /// Why its connection ended; nil while it is still there.
    let end: String?
    /// From the answer to CONNECT to the end.
    let seconds: Double
    let bytes: Int
    let events: Int
}
