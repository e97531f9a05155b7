/// What became of one traced event, where and when.
package struct TraceStep: Sendable, Equatable {
    package let event: TraceID
    /// Milliseconds of the cluster's clock, as the node knows it.
    package let time: Int64
    /// Name of the node, or its ID where it has none.
    package let node: String
    package let hop: TraceHop

    package init(event: TraceID, time: Int64, node: String, hop: TraceHop) {
        self.event = event
        self.time = time
        self.node = node
        self.hop = hop
    }

    /// In the order in which things happened, as far as the nodes' clocks agree: they may be off by as much as MongoDB takes to
    /// answer. No node knew of the event before it was accepted, so one that seems to have is taken to be behind by that.
    package static func inOrder(_ steps: [TraceStep]) -> [TraceStep] {
        let start = steps.first { $0.hop.kind == TraceHop.Kind.accepted.rawValue }?.time ?? 0
        let first = Dictionary(steps.map { ($0.node, $0.time) }, uniquingKeysWith: min)
        func time(_ step: TraceStep) -> Int64 { step.time + max(0, start - (first[step.node] ?? start)) }
        func rank(_ step: TraceStep) -> Int {
            TraceHop.Kind(rawValue: step.hop.kind).flatMap { TraceHop.Kind.allCases.firstIndex(of: $0) } ?? .max
        }
        return steps.enumerated().sorted {
            (time($0.element), rank($0.element), $0.offset) < (time($1.element), rank($1.element), $1.offset)
        }.map(\.element)
    }
}
