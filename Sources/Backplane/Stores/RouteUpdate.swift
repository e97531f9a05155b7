import NIOCore
import Routing
import Wire

/// The update statement of one compare-and-set: filtered by `{_id, v}`, with upsert, naming only what changed (LC-1, LC-4).
///
/// The stored array is known exactly where the filter matches. MongoDB refuses two operators on one path, so an array
/// changes by one of: `$push` behind the end, `$pull`, `$set` of single places, or `$set` of the whole.
enum RouteUpdate {
    /// A command must stay below MongoDB's 16 MiB for one document; statements are mostly some hundred bytes.
    private static let maximumSize = 12 << 20

    /// The statements of a round, in as few commands as their size allows: mostly one.
    static func commands(
        for writes: [RouteWrite], _ formats: Formats
    ) -> [(range: Range<Int>, statements: [BSONDocument])] {
        var commands: [(range: Range<Int>, statements: [BSONDocument])] = []
        var statements: [BSONDocument] = []
        var size = 0
        var start = 0
        for (index, write) in writes.enumerated() {
            let statement = BSONDocument { self.write(write, formats, into: &$0) }
            if !statements.isEmpty, size + statement.bytes.readableBytes > Self.maximumSize {
                commands.append((start..<index, statements))
                (statements, size, start) = ([], 0, index)
            }
            statements.append(statement)
            size += statement.bytes.readableBytes
        }
        if !statements.isEmpty { commands.append((start..<writes.count, statements)) }
        return commands
    }

    private static func write(_ write: RouteWrite, _ formats: Formats, into statement: inout BSONWriter) {
        statement.document("q") { filter in
            filter.append("_id", write.new.key.text)
            filter.append("v", write.expectedVersion)
        }
        statement.document("u") { update in
            let plan = Plan(write)
            update.document("$set") { plan.writeSet(formats, into: &$0) }
            if plan.hasPush { update.document("$push") { plan.writePush(into: &$0) } }
            if plan.hasPull { update.document("$pull") { plan.writePull(into: &$0) } }
            if plan.hasUnset { update.document("$unset") { plan.writeUnset(into: &$0) } }
        }
        statement.append("upsert", true)
    }

    /// Whether the statement, had it inserted a document, would have left a part of one.
    static func isPartial(_ write: RouteWrite) -> Bool {
        write.expectedVersion != 0 && !write.old.isVacant && !write.old.isOtherFormat
    }

    /// How one array gets from old to new.
    enum ArrayChange<Element: Equatable>: Equatable {
        case none
        case append([Element])
        /// Positions in the old array.
        case remove([Int])
        case replace([Int])
        case whole

        init(from old: [Element], to new: [Element]) {
            if old == new {
                self = .none
            } else if new.starts(with: old) {
                self = .append(Array(new.dropFirst(old.count)))
            } else if old.count == new.count {
                let changed = old.indices.filter { old[$0] != new[$0] }
                // Each place repeats a path: beyond a few the array is shorter.
                self = changed.count <= 4 && changed.count * 2 <= old.count ? .replace(changed) : .whole
            } else if let removed = Self.removal(from: old, to: new) {
                self = .remove(removed)
            } else {
                self = .whole
            }
        }

        /// Without `$pull`: for elements that no single field names.
        var unpulled: ArrayChange { if case .remove = self { .whole } else { self } }

        /// - Returns: nil when `new` is not `old` with some left out.
        private static func removal(from old: [Element], to new: [Element]) -> [Int]? {
            guard new.count < old.count else { return nil }
            var removed: [Int] = []
            var next = new.startIndex
            for (position, element) in old.enumerated() {
                if next < new.endIndex, new[next] == element { next += 1 } else { removed.append(position) }
            }
            return next == new.endIndex ? removed : nil
        }
    }

    private struct Plan {
        let old: RouteDocument
        let new: RouteDocument
        /// A document that there is not, or that holds nothing and may expire meanwhile, is written whole: an upsert must not
        /// leave half of one. So is one of another format: a part of it would not fit the rest.
        let isWhole: Bool
        let live: ArrayChange<RouteDocument.Connection>
        /// Not even written whole where there never was one: recovery is off then.
        let away: ArrayChange<RouteDocument.Away>
        let outbox: ArrayChange<RouteTransition>
        /// As ``away``: most users have no Links.
        let links: ArrayChange<LinkHint>

        init(_ write: RouteWrite) {
            self.old = write.old
            self.new = write.new
            self.isWhole = !RouteUpdate.isPartial(write)
            self.live = self.isWhole ? .whole : ArrayChange(from: write.old.live, to: write.new.live)
            let away = ArrayChange(from: write.old.away, to: write.new.away)
            self.away = self.isWhole && !(write.old.away.isEmpty && write.new.away.isEmpty) ? .whole : away
            let links = ArrayChange(from: write.old.links, to: write.new.links)
            self.links = self.isWhole && !(write.old.links.isEmpty && write.new.links.isEmpty) ? .whole : links.unpulled
            self.outbox = self.isWhole ? .whole : ArrayChange(from: write.old.outbox, to: write.new.outbox)
        }

        var hasPush: Bool {
            Self.isAppend(self.live) || Self.isAppend(self.away) || Self.isAppend(self.outbox)
                || Self.isAppend(self.links)
        }
        var hasPull: Bool {
            Self.isRemoval(self.live) || Self.isRemoval(self.away) || Self.isRemoval(self.outbox)
        }
        var hasUnset: Bool { self.unsetsDue || self.unsetsExpires || self.unsetsPlace }

        private var unsetsDue: Bool { self.new.due == nil && (self.isWhole || self.old.due != nil) }
        private var unsetsPlace: Bool { self.new.logPlace == nil && self.old.logPlace != nil }
        private var unsetsExpires: Bool { self.new.expires == nil && (self.isWhole || self.old.expires != nil) }

        private static func isAppend<Element>(_ change: ArrayChange<Element>) -> Bool {
            if case .append = change { true } else { false }
        }

        private static func isRemoval<Element>(_ change: ArrayChange<Element>) -> Bool {
            if case .remove = change { true } else { false }
        }

        func writeSet(_ formats: Formats, into set: inout BSONWriter) {
            set.append("v", self.new.version)
            if self.isWhole { set.append("fv", Int32(formats.written)) }
            self.writeSet("live", self.live, self.new.live, into: &set) { RouteCodec.write($0, into: &$1) }
            self.writeSet("away", self.away, self.new.away, into: &set) { RouteCodec.write($0, into: &$1) }
            if self.isWhole || self.old.logPlace != self.new.logPlace { set.append("rl", ifPresent: self.new.logPlace) }
            self.writeSet("links", self.links, self.new.links, into: &set) { RouteCodec.write($0, into: &$1) }
            self.writeSet("out", self.outbox, self.new.outbox, into: &set) { RouteCodec.write($0, into: &$1) }
            let isPresenceNew =
                self.old.isUserAnnounced != self.new.isUserAnnounced
                || self.old.announcedClients != self.new.announcedClients
            if self.isWhole || isPresenceNew {
                set.document("pres") { RouteCodec.writePresence(of: self.new, into: &$0) }
            }
            if self.isWhole || self.old.sequence != self.new.sequence { set.append("seq", self.new.sequence) }
            if self.isWhole || self.old.due != self.new.due {
                set.append("due", ifPresent: self.new.due.map { BSONDate(milliseconds: $0) })
            }
            if self.isWhole || self.old.expires != self.new.expires {
                set.append("x", ifPresent: self.new.expires.map { BSONDate(milliseconds: $0) })
            }
        }

        private func writeSet<Element>(
            _ name: String, _ change: ArrayChange<Element>, _ elements: [Element], into set: inout BSONWriter,
            _ body: (Element, inout BSONWriter) -> Void
        ) {
            switch change {
            case .none, .append, .remove: break
            case .replace(let positions):
                for position in positions {
                    set.document("\(name).\(position)") { body(elements[position], &$0) }
                }
            case .whole:
                set.array(name) { array in
                    for element in elements { array.documentElement { body(element, &$0) } }
                }
            }
        }

        func writePush(into push: inout BSONWriter) {
            self.writePush("live", self.live, into: &push) { RouteCodec.write($0, into: &$1) }
            self.writePush("away", self.away, into: &push) { RouteCodec.write($0, into: &$1) }
            self.writePush("links", self.links, into: &push) { RouteCodec.write($0, into: &$1) }
            self.writePush("out", self.outbox, into: &push) { RouteCodec.write($0, into: &$1) }
        }

        private func writePush<Element>(
            _ name: String, _ change: ArrayChange<Element>, into push: inout BSONWriter,
            _ body: (Element, inout BSONWriter) -> Void
        ) {
            guard case .append(let elements) = change else { return }
            push.document(name) { document in
                document.array("$each") { array in
                    for element in elements { array.documentElement { body(element, &$0) } }
                }
            }
        }

        func writePull(into pull: inout BSONWriter) {
            if case .remove(let positions) = self.live {
                Self.writePull("live", sockets: positions.map { self.old.live[$0].socket }, into: &pull)
            }
            if case .remove(let positions) = self.away {
                Self.writePull("away", sockets: positions.map { self.old.away[$0].socket }, into: &pull)
            }
            if case .remove(let positions) = self.outbox {
                pull.document("out") { document in
                    document.document("q") { condition in
                        condition.array("$in") { sequences in
                            for position in positions { sequences.element(self.old.outbox[position].sequence) }
                        }
                    }
                }
            }
        }

        private static func writePull(_ name: String, sockets: [SocketID], into pull: inout BSONWriter) {
            pull.document(name) { document in
                document.document("s") { condition in
                    condition.array("$in") { list in
                        for socket in sockets { list.element(socket.text) }
                    }
                }
            }
        }

        func writeUnset(into unset: inout BSONWriter) {
            if self.unsetsDue { unset.append("due", true) }
            if self.unsetsExpires { unset.append("x", true) }
            if self.unsetsPlace { unset.append("rl", true) }
        }
    }
}

extension RouteDocument {
    /// Holds nothing any more: the TTL index may take it away at any time.
    fileprivate var isVacant: Bool {
        self.live.isEmpty && self.outbox.isEmpty && self.announcedClients.isEmpty && !self.isUserAnnounced
            && self.links.isEmpty
    }
}
