import Routing
import Wire

/// How long clients stay announced, and Links open, without a connection, in milliseconds (SPEC LC-8, LK-13).
struct Graces: Sendable, Equatable {
    var presence: Int64
    var moving: Int64
    var link: Int64
    var movingLink: Int64

    /// - Parameter isClustered: whether there can be another node to move to.
    init(_ options: LiveOptions, isClustered: Bool) {
        func milliseconds(_ seconds: Double) -> Int64 { Int64((seconds * 1000).rounded()) }
        self.presence = milliseconds(options.presenceGrace)
        self.link = milliseconds(options.linkGrace)
        let moving = isClustered ? milliseconds(options.movingGrace) : 0
        self.moving = max(self.presence, moving)
        self.movingLink = max(self.link, moving)
    }

    /// Whether there is anybody to be waited for, ever.
    var isOn: Bool { self.moving > 0 || self.movingLink > 0 }

    func grace(for leaving: Leaving) -> Int64 {
        switch leaving {
        case .lost: self.presence
        case .moving: self.moving
        case .cut: 0
        }
    }

    /// What becomes of the Links of a party whose last connection leaves like that.
    func departure(for leaving: Leaving, _ reason: LogoutReason?) -> LinkDeparture {
        switch leaving {
        case .lost: .grace(self.link)
        case .moving: .grace(self.movingLink)
        case .cut: .close(reason.map { LinkCloseReason($0) } ?? .offline)
        }
    }
}

extension LinkCloseReason {
    init(_ reason: LogoutReason) {
        switch reason {
        case .kick: self = .kick
        case .logout, .session, .expired: self = .logout
        case .drain, .superseded, .node: self = .offline
        }
    }
}
