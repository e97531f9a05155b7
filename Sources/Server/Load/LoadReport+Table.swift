extension LoadReport {
    /// The summary: a name and a value a line.
    var table: [(name: String, value: String)] {
        var rows: [(String, String)] = [("scenario", self.scenario), ("seconds", Self.decimal(self.seconds))]
        let connections = self.connections
        rows.append(("connections", "\(connections.wanted) wanted, \(connections.liveAtEnd) live at the end"))
        rows.append(
            (
                "connects",
                "\(connections.connects), the first \(connections.wanted) in \(Self.decimal(connections.rampSeconds)) s, "
                    + "\(Int(connections.connectsPerSecond))/s"
            ))
        if let time = connections.connectTime { rows.append(("time to connect", time.text)) }
        rows += Self.reasons("failed connects", connections.failures)
        rows += Self.reasons("dropped", connections.drops)
        if let echo = self.echo { rows += Self.rows(echo) }
        if let delivery = self.delivery { rows += Self.rows(delivery) }
        if let recovery = self.recovery { rows += Self.rows(recovery) }
        if let storm = self.storm {
            let rounds = storm.rounds.map { "\($0)" }.joined(separator: ", ")
            rows.append(("all back after", "\(storm.median) s (median of \(rounds))"))
        }
        for slow in self.slowReaders ?? [] {
            rows.append(
                (
                    "slow reader \(slow.index)",
                    "\(slow.end ?? "still connected") after \(Self.decimal(slow.seconds)) s, "
                        + "\(slow.bytes) bytes, \(slow.events) events"
                ))
        }
        if let memory = self.memory {
            rows.append(
                ("memory of the node", "\(memory.firstKiB) KiB first, \(memory.lastKiB) last, \(memory.maxKiB) at most")
            )
        }
        for (series, growth) in (self.nodeCounted ?? [:]).sorted(by: { $0.key < $1.key }) {
            rows.append(("counted by the node", "\(Int(growth)): \(series)"))
        }
        rows.append(("lag of this client", "\(self.clientLag) ms at most"))
        rows.append(("verdict", self.held ? "the promise held" : self.broken.joined(separator: "; ")))
        return rows
    }

    private static func rows(_ echo: Echo) -> [(String, String)] {
        var rows = [
            (
                "echoes",
                "\(echo.sent) sent, \(echo.acknowledged) answered, \(Int(echo.perSecond))/s, \(echo.skipped) skipped"
            ),
            (
                "lost / duplicated / reordered / mangled",
                "\(echo.lost) / \(echo.duplicated) / \(echo.reordered) / \(echo.mangled)"
            ),
        ]
        if let time = echo.roundTrip { rows.append(("round trip", time.text)) }
        return rows
    }

    private static func rows(_ delivery: Delivery) -> [(String, String)] {
        var rows = [
            ("published", "\(delivery.published), \(delivery.acknowledged) acknowledged, \(delivery.skipped) skipped"),
            (
                "receipts",
                "\(delivery.promised) promised, \(delivery.nobodyThere) nobody there, "
                    + "\(delivery.incomplete) incomplete, \(delivery.withoutAck) without ack"
            ),
            (
                "received",
                "\(delivery.received), \(Int(delivery.receivedPerSecond))/s, \(delivery.replayed) of them replayed"
            ),
            ("lost / duplicated / reordered", "\(delivery.lost) / \(delivery.duplicated) / \(delivery.reordered)"),
            ("missed in silence after recovery", "\(delivery.missedAtRecovered)"),
            ("missed, and the publisher was told", "\(delivery.notPromisedAndMissed)"),
        ]
        if let latency = delivery.latency { rows.append(("latency", latency.text)) }
        if let time = delivery.ackTime { rows.append(("time to receipt", time.text)) }
        return rows
    }

    private static func rows(_ recovery: Recovery) -> [(String, String)] {
        [
            ("cuts", "\(recovery.cuts)"),
            (
                "returns",
                "\(recovery.recovered) recovered, \(recovery.notRecovered) not recovered "
                    + "(\(recovery.notRecoveredWithoutOffset) had no offset yet), "
                    + "\(recovery.returnedWithoutAsking) did not ask"
            ),
        ]
    }

    private static func reasons(_ name: String, _ counts: [String: Int]) -> [(String, String)] {
        counts.sorted { $0.key < $1.key }.map { (name, "\($0.value): \($0.key)") }
    }

    private static func decimal(_ value: Double) -> String { "\((value * 10).rounded() / 10)" }
}
