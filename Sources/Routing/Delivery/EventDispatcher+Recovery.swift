import Metrics
import Wire

/// A round while connection state recovery is on: read the routes, log what somebody may come back for, read the routes
/// again, and only then deliver, here and elsewhere.
///
/// Whatever a client has been given is in the log then, whichever process dies. A connection that is taken over meanwhile
/// (route commit, then reading of the log) is found by the second reading, or finds the event in the log, or both: then its
/// gate drops one of them.
extension EventDispatcher {
    /// What the first reading decided.
    private struct Plan {
        let key: RouteKey
        var sends: [(send: PendingSend, mark: RecoveryMark?)]
        var document: RouteDocument?
        /// nil where nothing of it is to be logged.
        var place: String?
        var isLogged = false
        /// The same for what is from the outbox.
        var arePostingsLogged = false
        var isReread = false
    }

    /// A second reading that failed is repeated before the round goes on with what the first one found.
    private static let rereads = 3

    func perform(_ round: Round, _ lane: Lane, _ remote: Remote, _ appender: RecoveryAppender) async {
        let documents: [RouteKey: RouteDocument]
        do {
            documents = try await self.read(round, lane, remote)
        } catch {
            self.failedReads.increment()
            // What is from the outbox comes again, and nobody is given it before it is in the log.
            if round.contains(where: { $0.sends.contains { $0.posting == nil } }) { appender.doubt() }
            for (key, sends) in round {
                for send in sends {
                    if send.posting == nil { self.deliverHere(send, key) } else { send.skip() }
                    self.ask([], send)
                    self.note(send, .routesUnread)
                    send.report(isComplete: false)
                }
            }
            return
        }
        var entries: [String: [RecoveryEntry]] = [:]
        var postings: [String: [RecoveryEntry]] = [:]
        var plans: [Plan] = []
        plans.reserveCapacity(round.count)
        let now = appender.now
        for (key, sends) in round {
            var plan = Plan(key: key, sends: sends.map { ($0, nil) }, document: documents[key])
            if let document = plan.document, let place = document.logPlace {
                for index in plan.sends.indices {
                    let send = plan.sends[index].send
                    guard document.isRecoverable(send, now: now) else { continue }
                    let (next, time) = appender.next()
                    let mark = send.posting?.recoveryMark ?? next
                    plan.sends[index].mark = mark
                    plan.place = place
                    let entry = RecoveryEntry(
                        key: key, mark: mark, version: document.version, client: send.client,
                        socket: send.socket, time: time, content: .event(send.packet))
                    if send.posting == nil {
                        entries[place, default: []].append(entry)
                    } else {
                        postings[place, default: []].append(entry)
                    }
                }
            }
            plans.append(plan)
        }
        if !entries.isEmpty || !postings.isEmpty {
            let logged = await self.append(entries, appender)
            var loggedPostings: Set<String> = []
            for (place, part) in postings where await appender.appendOnly(part, to: place) {
                loggedPostings.insert(place)
            }
            let reread = await self.reread(plans.filter { $0.place != nil }.map(\.key), lane, remote)
            for index in plans.indices {
                guard let place = plans[index].place else { continue }
                plans[index].isLogged = logged.contains(place)
                plans[index].arePostingsLogged = loggedPostings.contains(place)
                plans[index].isReread = reread != nil
                if let reread { plans[index].document = reread[plans[index].key] }
            }
        }
        for plan in plans { await self.deliver(plan, remote) }
    }

    /// - Returns: the places that have everything.
    private func append(_ entries: [String: [RecoveryEntry]], _ appender: RecoveryAppender) async -> Set<String> {
        if entries.count == 1, let (place, only) = entries.first {
            return await appender.append(only, to: place) ? [place] : []
        }
        return await withTaskGroup(of: (String, Bool).self) { group in
            for (place, part) in entries {
                group.addTask { (place, await appender.append(part, to: place)) }
            }
            var logged: Set<String> = []
            for await (place, isLogged) in group where isLogged { logged.insert(place) }
            return logged
        }
    }

    private func reread(
        _ keys: [RouteKey], _ lane: Lane, _ remote: Remote
    ) async -> [RouteKey: RouteDocument]? {
        for _ in 0..<Self.rereads {
            do {
                return try await remote.routes.read(keys, shard: lane.shard)
            } catch {
                self.failedReads.increment()
            }
        }
        return nil
    }

    private func deliver(_ plan: Plan, _ remote: Remote) async {
        for (send, mark) in plan.sends {
            let isLogged = send.posting == nil ? plan.isLogged : plan.arePostingsLogged
            if send.posting != nil, mark != nil, !isLogged {
                // It comes again under the same number: nobody is to have it before it is in the log.
                send.skip()
                self.ask([], send)
                self.note(send, .logged(false))
                send.report(isComplete: false)
                continue
            }
            // Marked also where it is not in the log: who gets it now has passed the hole.
            self.deliverHere(send, plan.key, mark: mark)
            if mark != nil {
                self.note(send, .logged(isLogged))
                send.expect(1)
                // Not "somebody is away": a socket that has just been lost is live in its route for a moment longer.
                send.report(stored: isLogged, isComplete: isLogged && plan.isReread)
            }
            if let document = plan.document {
                await self.publish(send, document, remote, mark: mark)
            } else {
                self.ask([], send)
                self.note(send, .routes(connections: 0, nodes: []))
                send.report()
            }
        }
    }

    /// The queue is closed: nothing is logged any more.
    func giveUp(_ send: PendingSend) {
        if self.isRecoverable { send.delivered(0) }
        // With recovery on it was delivered nowhere, and so nothing is ever said of here.
        self.ask([], send)
        send.report(isComplete: false)
    }
}

extension RouteDocument {
    /// Whether somebody whom the event is for is recoverable, there or away.
    fileprivate func isRecoverable(_ send: PendingSend, now: Int64) -> Bool {
        guard send.mode == .required, send.packet.takesOffset else { return false }
        return self.live.contains { $0.recovery?.pid != nil && send.matches($0) }
            || self.away.contains { $0.until > now && send.matches($0) }
    }
}
