package import NIOCore

/// How fast the client of one socket may send (SPEC LK-17). Sixteen bytes, and nothing allocated, until it sends one of the
/// product's own events.
///
/// Application events cannot be refused, as nothing on the wire says so: they are taken even where the bucket has run
/// out, and the socket is not read until what it owes has come back (docs/adr/0011-rates.md). The product's own can:
/// their answer is BUSY or 429.
package struct SocketRates {
    /// What is counted apart.
    package enum Kind: UInt8, CaseIterable, Sendable { case event, action, link, peer }

    package enum Verdict: Equatable, Sendable {
        case within
        /// Handle it, but take nothing more from the client before then.
        case pause(until: NIODeadline)
        /// Do not handle it: BUSY or 429.
        case refuse
        /// Ten times the rate: close the session.
        case excessive
    }

    /// The rates of a server; nil where there is none.
    package struct Limits: Equatable, Sendable {
        package var event: TokenBucket.Rate?
        package var action: Refusable?
        package var link: Refusable?
        package var peer: Refusable?

        package init(
            event: TokenBucket.Rate? = nil, action: Refusable? = nil, link: Refusable? = nil, peer: Refusable? = nil
        ) {
            self.event = event
            self.action = action
            self.link = link
            self.peer = peer
        }

        package var isEmpty: Bool { self == Limits() }
    }

    /// The rate of events that are refused beyond it, and the one that ends the session.
    package struct Refusable: Equatable, Sendable {
        let rate: TokenBucket.Rate
        let tenfold: TokenBucket.Rate

        /// - Parameters: as `TokenBucket.Rate`, but ten times `perSecond` must be no more than `fastest`.
        package init(perSecond: Int, burst: Int) {
            self.rate = TokenBucket.Rate(perSecond: perSecond, burst: burst)
            self.tenfold = TokenBucket.Rate(
                perSecond: perSecond * SocketRates.excess, burst: burst + perSecond * SocketRates.excess)
        }
    }

    /// How many times its rate ends a socket.
    package static let excess = 10

    private struct Gate {
        var bucket = TokenBucket()
        /// Counts what is refused, too.
        var attempts = TokenBucket()

        mutating func take(at now: NIODeadline, _ limit: Refusable) -> Verdict {
            guard self.attempts.take(at: now, limit.tenfold) else { return .excessive }
            return self.bucket.take(at: now, limit.rate) ? .within : .refuse
        }
    }

    private final class Product {
        var action = Gate()
        var link = Gate()
        var peer = Gate()
    }

    private var events = TokenBucket()
    private var product: Product?

    package init() {}

    /// Something of that kind has come.
    package mutating func take(_ kind: Kind, at now: NIODeadline, _ limits: Limits) -> Verdict {
        switch kind {
        case .event:
            guard let rate = limits.event else { return .within }
            let owed = self.events.charge(at: now, rate)
            guard owed > .zero else { return .within }
            // Ten times as many as a second allows, all of them owed, is ten seconds' worth.
            return owed > .seconds(Int64(Self.excess)) ? .excessive : .pause(until: now + owed)
        case .action: return limits.action.map { self.gates().action.take(at: now, $0) } ?? .within
        case .link: return limits.link.map { self.gates().link.take(at: now, $0) } ?? .within
        case .peer: return limits.peer.map { self.gates().peer.take(at: now, $0) } ?? .within
        }
    }

    /// When the client may be read again after `pause`.
    package func resumption(_ limits: Limits) -> NIODeadline {
        limits.event.map { self.events.paidAt($0) } ?? .uptimeNanoseconds(0)
    }

    private mutating func gates() -> Product {
        if let product = self.product { return product }
        let product = Product()
        self.product = product
        return product
    }
}

@available(*, unavailable) extension SocketRates: Sendable {}
