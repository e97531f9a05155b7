extension LoadReport {
    init(plan: LoadPlan, result: LoadResult, rampSeconds: Double, memory: ProcessMemory?) {
        self.init(scenario: plan.scenario, urls: plan.targets.map { $0.url })
        let tally = result.snapshot.tally
        let seconds = Double(plan.duration) / 1_000_000
        self.seconds = seconds
        self.clientLag = Double(tally.lag) / 1000
        let wanted = plan.connections + plan.publishers
        let slowGone = result.receivers.filter { $0.isSlow && !$0.isLive }.count
        self.connections = Connections(
            wanted: wanted, connects: tally.connects, rampSeconds: rampSeconds,
            connectsPerSecond: Double(wanted) / max(rampSeconds, 0.001), liveAtEnd: result.snapshot.live,
            awayAtEnd: wanted - result.snapshot.live - slowGone, failures: tally.failures, drops: tally.drops,
            connectTime: Latency(tally.connectTime))
        switch plan.work {
        case .hold, .storm: break
        case .echo: self.echo = Echo(tally, unanswered: result.unanswered, seconds: seconds)
        case .receive: self.delivery = Delivery(result, seconds: seconds)
        }
        if plan.cuts != nil || tally.recovered + tally.notRecovered + tally.returned > 0 {
            self.recovery = Recovery(
                cuts: tally.cuts, recovered: tally.recovered, notRecovered: tally.notRecovered,
                notRecoveredWithoutOffset: tally.withoutOffset, returnedWithoutAsking: tally.returned)
        }
        if plan.slow != nil { self.slowReaders = result.receivers.compactMap { $0.slow } }
        if let memory, let first = memory.first, let last = memory.last, let most = memory.most {
            self.memory = Memory(firstKiB: first, lastKiB: last, maxKiB: most)
        }
        self.judge(plan)
    }

    private init(scenario: String, urls: [String]) {
        self.scenario = scenario
        self.urls = urls
    }

    /// What a run must not find.
    private mutating func judge(_ plan: LoadPlan) {
        func check(_ count: Int, _ what: String) { if count > 0 { self.broken.append("\(count) \(what)") } }
        check(self.connections.awayAtEnd, "connections away at the end")
        if let echo = self.echo {
            check(echo.lost, "echoes lost")
            check(echo.duplicated, "acks duplicated")
            check(echo.reordered, "acks reordered")
            check(echo.mangled, "echoes mangled")
            if echo.acknowledged == 0 { self.broken.append("no echo was answered") }
        }
        if let delivery = self.delivery {
            check(delivery.lost, "events lost")
            check(delivery.duplicated, "events duplicated")
            check(delivery.reordered, "events reordered")
            check(delivery.missedAtRecovered, "events missed in silence after recovery")
            if delivery.received == 0 { self.broken.append("no event came") }
        }
        // Holding is all that was asked for; elsewhere a client that comes back has its accounts to show.
        if case .hold = plan.work { check(self.connections.drops.values.reduce(0, +), "connections dropped") }
    }
}

extension LoadReport.Echo {
    init(_ tally: LoadTally, unanswered: Int, seconds: Double) {
        self.init(
            sent: tally.sent, acknowledged: tally.acknowledged, skipped: tally.skipped,
            perSecond: Double(tally.acknowledged) / seconds, lost: unanswered + tally.echoBroken,
            duplicated: tally.echoDuplicates, reordered: tally.echoReordered, mangled: tally.echoMangled,
            roundTrip: LoadReport.Latency(tally.latency))
    }
}

extension LoadReport.Delivery {
    init(_ result: LoadResult, seconds: Double) {
        let tally = result.snapshot.tally
        var fates: [PublishLog.Fate: Int] = [:]
        for log in result.logs { fates.merge(log.fates(), uniquingKeysWith: +) }
        var missing = DeliveryLedger.Missing()
        for receiver in result.receivers {
            // What a slow reader has not read yet is not lost.
            let isLive = receiver.isLive && !receiver.isSlow
            missing += receiver.ledger.audit(result.logs, user: receiver.user, isLive: isLive)
        }
        self.init(
            published: tally.sent, acknowledged: tally.acknowledged, skipped: tally.skipped,
            promised: fates[.promised] ?? 0, nobodyThere: fates[.absent] ?? 0, incomplete: fates[.incomplete] ?? 0,
            withoutAck: fates[.unknown] ?? 0, received: tally.received,
            receivedPerSecond: Double(tally.received) / seconds, replayed: tally.replayed, lost: missing.promised,
            duplicated: tally.duplicates, reordered: tally.reordered,
            missedAtRecovered: missing.promisedAtRecovered + missing.absentAtRecovered,
            notPromisedAndMissed: missing.absent + missing.unpromised, latency: LoadReport.Latency(tally.latency),
            ackTime: LoadReport.Latency(tally.ackTime))
    }
}
