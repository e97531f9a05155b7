/// The one function that changes presence (SPEC LC-2): `(document, changes) → (document, transitions)`.
///
/// Presence is derived from the set of live SIDs after *all* changes, so opposite ones cancel out. How long a client without
/// a connection stays announced is in `RouteMachine+Grace.swift`.
package struct RouteMachine: Sendable {
    /// The node that commits.
    package let node: NodeID
    package let limits: RouteLimits
    /// nil while connection state recovery is off.
    package let recovery: RouteRecovery?
    /// Whether a handler waits for what is announced of a user. What nobody waits for is not stored, and needs no second
    /// write that says it was told (LC-3).
    package let isHeard: @Sendable (RouteKey) -> Bool
    /// How long Links wait for a party that was on a dead node, in milliseconds (SPEC LK-13).
    package let linkGrace: Int64

    /// LC-1: how long a document that holds nothing is kept, in milliseconds.
    package static let emptyLifespan: Int64 = 30 * 24 * 3600 * 1000

    package init(
        node: NodeID, limits: RouteLimits = RouteLimits(), recovery: RouteRecovery? = nil,
        isHeard: @escaping @Sendable (RouteKey) -> Bool = { _ in true }, linkGrace: Int64 = 0
    ) {
        self.node = node
        self.limits = limits
        self.recovery = recovery
        self.isHeard = isHeard
        self.linkGrace = linkGrace
    }

    package struct Step: Sendable, Equatable {
        /// The next document, its version raised: also where nothing else changed, as LC-2's last sentence needs it.
        package var document: RouteDocument
        /// One per change, in their order.
        package var outcomes: [RouteOutcome]
        /// What this step announced; part of the document's outbox unless it ``isUnheard``.
        package var transitions: [RouteTransition]
        /// Whether ``transitions`` is not in the outbox, as nobody waits for it.
        package var isUnheard: Bool
        /// Whether anything but the version differs.
        package var isChanged: Bool
        /// A removal found nothing to remove. A deposed primary may have answered the read, so only a committed write
        /// shows that it is really gone.
        package var needsProof: Bool
        package var graces: GraceChanges
        package var links: LinkChanges
    }

    /// - Parameters:
    ///   - now: the primary's clock, in milliseconds since 1970.
    ///   - claimed: nodes known to be claimed; what they left in the document goes on the way (ND-4).
    package func apply(
        _ changes: [RouteChange], to old: RouteDocument, now: Int64, claimed: Set<NodeID> = []
    ) -> Step {
        var document = old
        document.version += 1
        if old.version == 0 { document.sequence = max(old.sequence, (now / 1000) << 20) }

        if !document.away.isEmpty { document.away.removeAll { $0.until <= now } }
        var departures: Departures = [:]
        var linkDepartures = LinkDepartures()
        var settlesLinks = false
        var graces = GraceChanges()
        if !claimed.isEmpty {
            self.sweep(&document, now, &departures, &linkDepartures) { $0 != self.node && claimed.contains($0) }
        }
        var needsProof = false
        var outcomes = changes.map { change -> RouteOutcome in
            switch change {
            case .connect(let connection):
                return self.connect(connection, &document)
            case .recover(let pid, let connection):
                return self.recover(pid, connection, &document, now) ?? self.connect(connection, &document)
            case .renew(let connection):
                // Not the new one, where this is applied again.
                document.live.removeAll {
                    $0.node == connection.node && $0.recovery?.take == connection.socket.token
                }
                return self.connect(connection, &document)
            case .disconnect(let socket, let node, let isFinal, let grace, let links):
                let count = document.live.count
                func isGone(_ other: RouteDocument.Connection) -> Bool {
                    other.node == node && other.isHeld(by: socket)
                }
                Self.note(&departures, grace: grace, document, where: isGone)
                linkDepartures.note(links, document, where: isGone)
                self.remove(&document, now, isFinal: isFinal, where: isGone)
                if document.live.count == count { needsProof = true }
                if grace > 0 { graces.isKept = true }
                return .applied
            case .setRooms(let rooms, let socket, let node):
                if !Self.setRooms(rooms, of: socket, node, &document) { needsProof = true }
                return .applied
            case .forget(let client, let reason):
                let isWaitedFor = Self.endGraces(client, &departures, document)
                let isInGrace = Self.endLinkGraces(client, reason, &document) || isWaitedFor
                // A grace that a deposed primary does not show ends by itself: that is not worth a write.
                if !Self.forget(client, &document), !isInGrace, self.recovery != nil { needsProof = true }
                return .applied
            case .settle(let isOverdue):
                if isOverdue { graces.isOverdue = true }
                settlesLinks = true
                return .settled(due: nil)
            case .reap(let dead):
                let before = (document.live, document.outbox)
                self.sweep(&document, now, &departures, &linkDepartures) { $0 == dead }
                if (document.live, document.outbox) == before { needsProof = true }
                return .applied
            case .link(let hint):
                return self.link(hint, &document)
            case .unlink(let key, let generation):
                if !Self.unlink(key, through: generation, &document) { needsProof = true }
                return .applied
            case .acknowledge(let sequence):
                let count = document.outbox.count
                document.outbox.removeAll { $0.owner == self.node && $0.sequence <= sequence }
                if document.outbox.count == count { needsProof = true }
                if document.outbox.isEmpty { document.outbox = [] }  // gives back its memory
                return .applied
            }
        }
        let transitions = self.announce(&document, departures, now, &graces)
        // Behind earlier ones they wait all the same: those may be another node's, which has handlers.
        let isUnheard = !transitions.isEmpty && document.outbox.isEmpty && !self.isHeard(document.key)
        if !isUnheard, !transitions.isEmpty { document.outbox += transitions }
        var links = LinkChanges()
        if !document.links.isEmpty {
            links.closings = self.settleLinks(&document, linkDepartures, now, settles: settlesLinks)
            self.noteMoves(&links, changes, old, document)
            // A deadline that an earlier attempt of unknown outcome has stored is this node's to finish, too.
            if document.links.contains(where: { $0.due != nil }) { graces.isKept = true }
        }
        document.due = document.earliestDeadline
        // Changes that are applied again may supersede each other in turn; who is in the document stays.
        for index in outcomes.indices {
            switch outcomes[index] {
            case .connected(let superseded) where !superseded.isEmpty:
                outcomes[index] = .connected(superseded: superseded.filter { !document.live.contains($0) })
            case .recovered(var recovered) where !recovered.superseded.isEmpty:
                recovered.superseded.removeAll { document.live.contains($0) }
                outcomes[index] = .recovered(recovered)
            case .settled:
                outcomes[index] = .settled(due: document.due)
            case .connected, .recovered, .refused, .linked, .applied: break
            }
        }

        let isEmpty =
            document.live.isEmpty && document.outbox.isEmpty && document.announcedClients.isEmpty
            && document.links.isEmpty
        var comparable = document
        comparable.version = old.version
        comparable.expires = old.expires
        if old.version == 0 { comparable.sequence = old.sequence }
        document.expires = isEmpty && !document.isUserAnnounced ? now + Self.emptyLifespan : nil
        return Step(
            document: document, outcomes: outcomes, transitions: transitions, isUnheard: isUnheard,
            isChanged: comparable != old,
            needsProof: needsProof, graces: graces, links: links)
    }

    private func connect(_ connection: RouteDocument.Connection, _ document: inout RouteDocument) -> RouteOutcome {
        func givesWay(_ other: RouteDocument.Connection) -> Bool {
            if other.socket == connection.socket { return other.node != connection.node }
            return other.isInstance(connection.endpoint, of: connection.client)
        }
        if document.live.contains(where: { $0.socket == connection.socket && $0.node == connection.node }) {
            return .connected(superseded: [])
        }
        let superseded = document.live.filter(givesWay)
        let remaining = document.live.count - superseded.count
        if remaining >= self.limits.perUser { return .refused(.user) }
        let siblings = document.live.count { $0.client == connection.client && !givesWay($0) }
        if siblings >= self.limits.perClient { return .refused(.client) }
        if document.outbox.count >= self.limits.outbox { return .refused(.outbox) }
        if !superseded.isEmpty { document.live.removeAll(where: givesWay) }
        self.add(connection, to: &document)
        return .connected(superseded: superseded)
    }

    private func sweep(
        _ document: inout RouteDocument, _ now: Int64, _ departures: inout Departures,
        _ linkDepartures: inout LinkDepartures, _ isDead: (NodeID) -> Bool
    ) {
        Self.note(&departures, grace: 0, document) { isDead($0.node) }
        linkDepartures.note(.grace(self.linkGrace), document) { isDead($0.node) }
        self.remove(&document, now, isFinal: false) { isDead($0.node) }
        for index in document.outbox.indices where isDead(document.outbox[index].owner) {
            document.outbox[index].owner = self.node
        }
    }
}
