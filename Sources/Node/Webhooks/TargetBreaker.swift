/// Decides whether a target is asked at all (a circuit breaker): after many failures in a row it is left alone for a while,
/// then one request, the probe, tries whether it is back. Owns no clock; times are milliseconds.
struct TargetBreaker: Sendable, Equatable {
    enum State: Sendable, Equatable {
        /// - Parameter failures: in a row.
        case closed(failures: Int)
        /// Nothing is sent before that time.
        case open(until: Int64)
        /// The probe is under way.
        case halfOpen
    }

    enum Admission: Sendable, Equatable {
        case pass
        /// This request finds out whether the target is back.
        case probe
        /// - Parameter until: when to ask again.
        case refused(until: Int64)
    }

    /// How a request that was admitted has ended.
    enum Ending: Sendable, Equatable {
        case succeeded, failed
        /// Given up by us: it says nothing about the target.
        case abandoned
    }

    /// While the probe is under way: milliseconds after which one may ask again.
    static let probePause: Int64 = 100

    private(set) var state = State.closed(failures: 0)
    /// Failures in a row that open it; 0: it never opens.
    let threshold: Int
    /// Milliseconds.
    let pause: Int64

    init(threshold: Int, pause: Int64) {
        self.threshold = threshold
        self.pause = pause
    }

    /// What a request would be told; nothing changes.
    func outlook(at now: Int64) -> Admission {
        var copy = self
        return copy.admit(at: now)
    }

    mutating func admit(at now: Int64) -> Admission {
        switch self.state {
        case .closed: return .pass
        case .open(let until):
            guard now >= until else { return .refused(until: until) }
            self.state = .halfOpen
            return .probe
        case .halfOpen: return .refused(until: now + Self.probePause)
        }
    }

    /// - Returns: whether it has just opened after having been closed.
    mutating func ended(_ admission: Admission, _ ending: Ending, at now: Int64) -> Bool {
        switch (self.state, admission, ending) {
        case (.closed, .pass, .succeeded):
            self.state = .closed(failures: 0)
        case (.closed(let failures), .pass, .failed):
            guard self.threshold > 0, failures + 1 >= self.threshold else {
                self.state = .closed(failures: min(failures + 1, max(self.threshold, 1)))
                return false
            }
            self.state = .open(until: now + self.pause)
            return true
        case (.halfOpen, .probe, .succeeded):
            self.state = .closed(failures: 0)
        case (.halfOpen, .probe, .failed):
            self.state = .open(until: now + self.pause)
        case (.halfOpen, .probe, .abandoned):
            self.state = .open(until: now)
        case (.closed, .pass, .abandoned), (.closed, .probe, _), (_, .refused, _), (.open, _, _), (.halfOpen, .pass, _):
            // What began before the breaker turned says nothing about now.
            break
        }
        return false
    }
}
