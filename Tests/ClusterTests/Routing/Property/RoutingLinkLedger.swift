import Routing
import Wire

/// The stored Links of a ``RoutingSimulation``, and who was told what.
struct RoutingLinkLedger {
    struct Pair: Hashable {
        let recipient: SocketID
        let peer: SocketID
    }

    /// How long a party is waited for, in milliseconds (LK-13).
    let grace: Int64
    let moving: Int64
    var records: [LinkKey: LinkRecord] = [:]
    /// What a primary that was deposed would answer.
    private(set) var stale: [LinkKey: LinkRecord] = [:]
    var told: [LinkToken: Set<Pair>] = [:]
    /// Tokens that were closed.
    var ended: Set<LinkToken> = []
    /// Requests that were answered, by their number.
    var answers: [UInt64: Int] = [:]
    /// Where each request was made.
    var requests: [UInt64: NodeID] = [:]
    private var keys: [String: LinkKey] = [:]

    init(_ generator: inout SplitMix64) {
        self.grace = [0, 1_000, 10_000].randomElement(using: &generator) ?? 0
        self.moving = max(self.grace, [0, 20_000].randomElement(using: &generator) ?? 0)
    }

    mutating func noteOutage(of resource: RoutingSimulation.Resource) { self.stale = self.records }

    mutating func key(_ one: LinkParty, _ other: LinkParty) -> LinkKey {
        let name = "\([one, other].sorted())"
        if let key = self.keys[name] { return key }
        let key = LinkKey(high: 0, low: UInt64(self.keys.count + 1))
        self.keys[name] = key
        return key
    }
}

/// Links in a simulation: what clients do, what is stored, and what SPEC §11 (3, 4) promises.
extension RoutingSimulation {
    func actOnLinks(_ sockets: [RoutingSimulatedNode.Socket], _ nodes: [RoutingSimulatedNode]) {
        let socket = sockets[Int(self.random(0...Int64(sockets.count - 1)))]
        guard !socket.isPending, let node = nodes.first(where: { $0.id == socket.connection.node }) else { return }
        if self.chance(15) {
            let open = (self.links?.records ?? [:]).values.filter { $0.state == .open }.sorted {
                $0.key.text < $1.key.text
            }
            guard let record = open.randomElement(using: &self.generator) else { return }
            return node.close(record.key, .token(record.token), reason: .closed)
        }
        let target = self.keys[Int(self.random(0...Int64(self.keys.count - 1)))]
        let client = self.chance(40) ? "client\(self.random(0...1))" : nil
        node.request(socket, target.user, client)
        guard self.chance(30) else { return }
        // Both at once.
        let others = sockets.filter {
            $0.key == target && !$0.isPending && (client == nil || $0.connection.client == client)
        }
        guard let other = others.randomElement(using: &self.generator),
            let there = nodes.first(where: { $0.id == other.connection.node })
        else { return }
        there.request(other, socket.key.user, client == nil ? nil : socket.connection.client)
    }

    func shard(of key: LinkKey) -> Int { Int(key.text.utf8.last ?? 0) % Self.shardCount }

    func apply(_ write: LinkWrite) -> Bool {
        guard var ledger = self.links, write.fits(ledger.records[write.new.key]) else { return false }
        let old = ledger.records[write.new.key]
        ledger.records[write.new.key] = write.new
        self.links = ledger
        self.trace("  link \(write.new.key.text.suffix(4)) gen \(write.new.generation) is \(write.new.state)")
        if write.new.state == .closed {
            self.links?.ended.insert(write.new.token)
        } else if ledger.ended.contains(write.new.token) {
            self.fault("LK-3: a token that was closed is \(write.new.state) again")
        }
        if let old, write.new.token != old.token, old.state != .closed {
            self.fault("§11.3: a second token while the first is \(old.state)")
        }
        if let old, write.new.generation < old.generation {
            self.fault("LK-5: the generation falls back: \(write.new)")
        }
        self.checkLinks()
        return true
    }

    /// At every step: whoever leaves an open Link finds a hint of it, and nobody is forgotten.
    func checkLinks() {
        for record in self.links?.records.values ?? [:].values where record.state == .open {
            for side in [0, 1] {
                let hint = record.hint(of: side)
                guard let document = self.documents[record.key(of: side)],
                    let stored = document.links.first(where: { $0.key == hint.key && $0.client == hint.client }),
                    stored.generation >= hint.generation
                else {
                    self.fault("LK-15: \(record.key(of: side).user) has no hint of an open Link: \(record)")
                    continue
                }
                let isLive = document.live.contains { record.sides[side].party.has($0) }
                if isLive != (stored.due == nil) {
                    self.fault("§11.3: live \(isLive), due \(stored.due ?? 0): \(document)")
                }
            }
        }
    }

    /// In the end.
    func checkLinks(_ found: inout [String]) {
        guard let ledger = self.links else { return }
        for record in ledger.records.values.sorted(by: { $0.key.text < $1.key.text }) {
            switch record.state {
            case .closed: continue
            case .opening: found.append("LK-5: never finished: \(record)")
            case .open: break
            }
            let parties = [0, 1].map { side in
                (self.documents[record.key(of: side)]?.live ?? []).filter { record.sides[side].party.has($0) }
            }
            if parties.contains(where: \.isEmpty) { found.append("§11.3: open without a party: \(record)") }
            let told = ledger.told[record.token] ?? []
            for one in parties[0] {
                for other in parties[1] where one.endpoint != other.endpoint {
                    let (here, there) = (
                        RoutingLinkLedger.Pair(recipient: one.socket, peer: other.socket),
                        RoutingLinkLedger.Pair(recipient: other.socket, peer: one.socket)
                    )
                    if !told.contains(here), !told.contains(there) {
                        found.append(
                            "§11.4: \(one.socket.text.suffix(22)) and \(other.socket.text.suffix(22)) know nothing of each "
                                + "other: \(record)")
                    }
                }
            }
        }
        for document in self.documents.values where document.links.contains(where: { $0.due != nil }) {
            found.append("LK-13: never closed: \(document)")
        }
        for (number, id) in ledger.requests where self.nodes.contains(where: { $0.id == id && $0.isRunning }) {
            if ledger.answers[number] != 1 {
                found.append("LK-4: request \(number) was answered \(ledger.answers[number] ?? 0) times")
            }
        }
    }
}
