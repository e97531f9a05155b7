/// How long clients stay announced without a connection, in milliseconds (SPEC LC-8).
struct Graces: Sendable, Equatable {
    var presence: Int64
    var moving: Int64

    /// - Parameter isClustered: whether there can be another node to move to.
    init(_ options: LiveOptions, isClustered: Bool) {
        self.presence = Int64((options.presenceGrace * 1000).rounded())
        self.moving = isClustered ? max(self.presence, Int64((options.movingGrace * 1000).rounded())) : self.presence
    }

    /// Whether there is anybody to be waited for, ever.
    var isOn: Bool { self.moving > 0 }

    func grace(for leaving: Leaving) -> Int64 {
        switch leaving {
        case .lost: self.presence
        case .moving: self.moving
        case .cut: 0
        }
    }
}
