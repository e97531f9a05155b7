import Synchronization

/// Gathers what the loops of this node have written of one event, and tells it once, when the last has looked.
package final class WrittenTally: Sendable {
    private let state = Mutex((missing: 0, devices: [WrittenDevice]()))
    private let completion: @Sendable ([WrittenDevice]) -> Void

    package init(_ completion: @escaping @Sendable ([WrittenDevice]) -> Void) {
        self.completion = completion
    }

    /// So many loops will report. Call once, before any of them does.
    func expect(_ loops: Int) {
        self.state.withLock { $0.missing = loops }
        if loops == 0 { self.completion([]) }
    }

    func report(_ devices: [WrittenDevice]) {
        let all: [WrittenDevice]? = self.state.withLock { state in
            state.devices += devices
            state.missing -= 1
            return state.missing == 0 ? state.devices : nil
        }
        if let all { self.completion(all) }
    }
}
