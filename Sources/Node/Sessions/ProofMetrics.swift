internal import Metrics

/// Counts proofs of domesticity that prove nothing (SPEC ID-5): somebody's page tries tokens, or has one and is foreign.
struct ProofMetrics: Sendable {
    private let wrong = Counter(label: "submergence_session_proofs_refused_total", dimensions: [("reason", "wrong")])
    private let foreign = Counter(
        label: "submergence_session_proofs_refused_total", dimensions: [("reason", "foreign")])

    /// - Parameters:
    ///   - isRight: whether the token is that of the session.
    ///   - originIsOwn: whether it may count at all.
    /// - Returns: whether it proves anything.
    func judge(isRight: Bool, originIsOwn: Bool) -> Bool {
        if !originIsOwn { self.foreign.increment() } else if !isRight { self.wrong.increment() }
        return isRight && originIsOwn
    }
}
