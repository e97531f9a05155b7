/// Where the steps of traced events are kept for a while.
package protocol TraceStore: Sendable {
    /// From any thread; never blocks, and drops and counts what does not fit.
    func append(_ step: TraceStep)
}
