package import Wire

/// The way to *other* nodes (SPEC ND-6 to ND-11). Local delivery never passes through it.
///
/// An adapter serves one incarnation: isolation (ND-3) ends it and opens another one.
package protocol ClusterAdapter: Sendable {
    /// Hands a message to the outbox of the target. Never blocks, from any thread.
    ///
    /// Messages from one thread to one target, about one route key, arrive in the order of the calls (ND-7).
    /// - Parameters:
    ///   - target: another node; a node never addresses itself (EV-1).
    ///   - completion: called once, on any thread, when the message is stored (`nil`) or given up. Keep it short.
    func publish(_ message: BusMessage, to target: NodeRecord, completion: @escaping @Sendable (PublishError?) -> Void)

    /// Age of the newest probe per home and other facts for readiness and metrics (ND-10, ND-11).
    var health: BusHealth { get }

    /// Waits until everything that was handed in is stored or given up (drain, ND-12).
    func flush() async

    /// Ends tails and outbox. Messages still waiting complete with `closed`.
    func shutdown() async
}

/// Takes what arrives from the bus. Calls come on the adapter's own thread, in order per sending node; holding one up
/// holds up the tail, which is the back-pressure (the inbox is the queue).
package protocol ClusterReceiver: Sendable {
    func receive(_ messages: [BusMessage], from sender: NodeID)

    /// Messages of a live sender were lost (ND-9): caches go, sessions are checked anew.
    func gap(_ reason: String)
}

package enum PublishError: Error, Sendable, Equatable {
    /// More than 1 MiB, or not encodable (ND-6).
    case tooLarge
    /// 32 MiB or 10 s waiting for this target (ND-7).
    case backlog
    /// The target is claimed or gone (ND-7).
    case targetGone
    /// The adapter is shutting down.
    case closed
}

/// What the bus knows about itself.
package struct BusHealth: Sendable, Equatable {
    /// Seconds since the newest own probe came back, per home; `infinity` before the first.
    package var probeAge: [Double]
    /// Publish-to-delivery of the newest probe in seconds, per home.
    package var latency: [Double]
    /// How each home is tailed: `stream`, `cursor` or `loopback`.
    package var modes: [String]
    /// Counted gaps since start (ND-9).
    package var gaps: Int

    /// ND-11: the newest probe of *both* homes is older than 5 s.
    package var isDegraded: Bool { self.probeAge.allSatisfy { $0 > 5 } }

    package init(probeAge: [Double], latency: [Double], modes: [String], gaps: Int) {
        self.probeAge = probeAge
        self.latency = latency
        self.modes = modes
        self.gaps = gaps
    }
}
