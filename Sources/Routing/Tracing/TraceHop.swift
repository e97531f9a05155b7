/// One thing that became of a traced event at one node. Stored as a kind and texts, so that neighbouring versions may add
/// kinds.
package struct TraceHop: Sendable, Equatable {
    /// In the order in which things of the same millisecond are told.
    package enum Kind: String, Sendable, CaseIterable {
        case parent, accepted, logged, routes, stored, unsent, copied, read, delivered, dropped
    }

    package let kind: String
    package let details: [String: String]

    package init(kind: String, details: [String: String]) {
        self.kind = kind
        self.details = details
    }

    private init(_ kind: Kind, _ details: [String: String]) { self.init(kind: kind.rawValue, details: details) }

    /// Taken from the application.
    package static func accepted(to key: RouteKey, client: String?, bytes: Int) -> TraceHop {
        var details = ["to": key.text, "bytes": "\(bytes)"]
        details["client"] = client
        return TraceHop(.accepted, details)
    }

    /// It belongs to a trace of the application's.
    package static func parent(_ parent: TraceParent) -> TraceHop { TraceHop(.parent, ["traceparent": parent.text]) }

    /// Written to the recovery log, as somebody may come back for it, or not.
    package static func logged(_ isLogged: Bool) -> TraceHop {
        TraceHop(.logged, ["outcome": isLogged ? "stored" : "failed"])
    }

    /// - Parameter nodes: other nodes with connections that it is for.
    package static func routes(connections: Int, nodes: [String]) -> TraceHop {
        TraceHop(.routes, ["connections": "\(connections)", "nodes": nodes.joined(separator: " ")])
    }

    /// The routes could not be read: only connections of this node get it.
    package static var routesUnread: TraceHop { TraceHop(.routes, ["outcome": "failed"]) }

    /// A home of the target has acknowledged it.
    /// - Parameter milliseconds: since it was put into the outbox.
    package static func stored(for target: String, home: String, milliseconds: Int64) -> TraceHop {
        TraceHop(.stored, ["for": target, "home": home, "ms": "\(milliseconds)"])
    }

    package static func unsent(for target: String, reason: String) -> TraceHop {
        TraceHop(.unsent, ["for": target, "reason": reason])
    }

    /// Put into another home, as the one where it lies does not answer.
    package static func copied(for target: String, home: String) -> TraceHop {
        TraceHop(.copied, ["for": target, "home": home])
    }

    package static func read(from sender: String) -> TraceHop { TraceHop(.read, ["from": sender]) }

    /// What the connections of one device on this node got.
    package static func delivered(_ device: WrittenDevice) -> TraceHop {
        TraceHop(
            .delivered,
            ["client": device.client, "written": "\(device.written)", "pending": "\(device.pending)"])
    }

    package static func dropped(_ reason: String) -> TraceHop { TraceHop(.dropped, ["reason": reason]) }

    /// For people.
    package var sentence: String {
        func detail(_ name: String) -> String { self.details[name] ?? "?" }
        switch Kind(rawValue: self.kind) {
        case .parent: return "in the trace \(detail("traceparent"))"
        case .accepted:
            let whom = self.details["client"].map { "device \($0) of \(detail("to"))" } ?? detail("to")
            return "accepted for \(whom), \(detail("bytes")) bytes"
        case .logged:
            return detail("outcome") == "stored"
                ? "stored in the recovery log, for who may come back" : "could not be stored in the recovery log"
        case .routes:
            if self.details["outcome"] != nil { return "routes could not be read: other nodes are not told" }
            let nodes = detail("nodes")
            return "routes read: \(detail("connections")) connections"
                + (nodes.isEmpty ? ", none on another node" : ", on other nodes: \(nodes)")
        case .stored: return "stored for \(detail("for")) in \(detail("home")) after \(detail("ms")) ms"
        case .unsent: return "not sent to \(detail("for")): \(detail("reason"))"
        case .copied: return "copied for \(detail("for")) into \(detail("home")), as its home does not answer"
        case .read: return "read from \(detail("from"))"
        case .delivered:
            let pending = detail("pending") == "0" ? "" : ", pending for \(detail("pending"))"
            return "written to \(detail("written")) sockets of \(detail("client"))\(pending)"
        case .dropped: return "dropped: \(detail("reason"))"
        case nil:
            return self.kind + self.details.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
        }
    }
}
