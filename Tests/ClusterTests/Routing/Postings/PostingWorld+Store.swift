import NIOCore
import Routing
import Wire

/// The store and the bus of a ``PostingWorld``.
extension PostingWorld {
    func perform(_ step: PostingStep, _ node: Node) {
        let own = node.id
        switch step {
        case .readLanes:
            self.ask(node, { (self.lanes, self.known.subtracting(self.dead)) }) { machine, answer in
                if let (lanes, live) = answer {
                    machine.lanesRead(lanes, live: live.union([own]), at: self.now)
                } else {
                    machine.lanesUnread(at: self.now)
                }
            }
        case .changeLanes(let changes):
            self.ask(node, { changes.compactMap { self.change($0, own) } }) { machine, answer in
                if let answer {
                    machine.lanesChanged(answer, at: self.now)
                } else {
                    machine.lanesUnchanged(at: self.now)
                }
            }
        case .readNew(let lanes, let limit, let users):
            self.ask(
                node,
                {
                    self.intakes { document, lane in
                        document.number == nil && document.end == nil && lanes.contains(lane)
                            && !users.contains("u\(document.user)")
                    }.prefix(limit)
                },
                { machine, answer in
                    if let answer {
                        machine.newRead(Array(answer), limit: limit, at: self.now)
                    } else {
                        machine.newUnread(at: self.now)
                    }
                })
        case .readBegun(let lanes, let generation):
            self.ask(
                node, { self.intakes { $0.number != nil && $0.end == nil && lanes.contains($1) } },
                { machine, answer in
                    if let answer {
                        machine.begunRead(lanes, adopting: generation, answer, at: self.now)
                    } else {
                        machine.begunUnread(at: self.now)
                    }
                })
        case .assign(let assignments): self.assign(assignments, node)
        case .settle(let settlements):
            self.ask(node, { for settlement in settlements { self.settle(settlement) } }) { machine, answer in
                if answer == nil {
                    machine.unsettled(at: self.now)
                } else {
                    machine.settled(settlements, failed: [], at: self.now)
                }
            }
        case .send(let send): self.send(send, node)
        }
    }

    /// One command: it may not get there, or its answer may get lost, and then it may take effect late.
    private func ask<Answer>(
        _ node: Node, _ body: @escaping () -> Answer, _ answered: @escaping (inout PostingMachine, Answer?) -> Void
    ) {
        let life = node.life
        func tell(_ answer: Answer?) {
            self.whenRunning(node, life) {
                answered(&node.machine, answer)
                self.advance(node)
            }
        }
        switch self.isStormy ? Int.random(in: 0..<100, using: &self.random) : 99 {
        case 0..<4: self.after(milliseconds: 10...2_000) { tell(nil) }
        case 4..<8:
            self.after(milliseconds: 1...self.settings.latestLanding) { _ = body() }
            self.after(milliseconds: 1...2_000) { tell(nil) }
        default:
            self.after(milliseconds: 1...30) {
                let answer = body()
                self.after(milliseconds: 1...30) { tell(answer) }
            }
        }
    }

    /// The update, and the reading of what came of it.
    private func assign(_ assignments: [PostingAssignment], _ node: Node) {
        self.ask(
            node,
            {
                for assignment in assignments {
                    let number = self.number(of: assignment.id)
                    let document = self.documents[number]
                    guard document?.end == nil, document?.number == assignment.replacing else { continue }
                    self.documents[number]?.number = assignment.number
                }
            },
            { machine, answer in
                guard answer != nil else { return machine.unassigned(at: self.now) }
                // The second command of the same call.
                self.ask(
                    node,
                    {
                        Set(
                            assignments.filter { assignment in
                                let document = self.documents[self.number(of: assignment.id)]
                                return document?.end == nil && document?.number == assignment.number
                            }.map(\.id))
                    },
                    { machine, confirmed in
                        guard let confirmed else { return machine.unassigned(at: self.now) }
                        machine.assigned(assignments, confirmed: confirmed, gone: [], at: self.now)
                    })
            })
    }

    private func settle(_ settlement: PostingSettlement) {
        let number = self.number(of: settlement.id)
        guard let document = self.documents[number], document.end == nil, document.number == settlement.number
        else { return }
        self.documents[number]?.end = settlement.result
    }

    private func change(_ change: PostingLaneChange, _ node: NodeID) -> PostingLaneRecord? {
        let old: PostingLaneRecord =
            switch change {
            case .take(let record), .ask(let record), .give(let record): record
            }
        let now = self.lanes[old.lane]
        guard now.generation == old.generation, now.holder == old.holder else { return nil }
        switch change {
        case .take:
            self.lanes[old.lane] = PostingLaneRecord(
                lane: old.lane, stream: old.stream, holder: node, generation: old.generation + 1)
        case .ask: self.lanes[old.lane].asker = node
        case .give: self.lanes[old.lane].holder = nil
        }
        return self.lanes[old.lane]
    }

    /// By way of the bus to the node of the user's connection; the answer may be that it is not known to be there.
    private func send(_ send: PostingSend, _ node: Node) {
        let life = node.life
        let number = self.number(of: send.id)
        let isLost = self.isStormy && self.chance(3)
        let isUnsure = isLost || (self.isStormy && self.chance(5))
        let delay: ClosedRange<Int64> = 1...(self.isStormy && self.chance(5) ? self.settings.slowestBus : 10)
        // A process that dies first has put nothing into the inbox.
        self.after(milliseconds: 0...10) {
            guard node.life == life else { return }
            if !isLost {
                let time = self.now + Nanoseconds.milliseconds(Int64.random(in: delay, using: &self.random))
                node.arrival = max(node.arrival, time)
                self.at(node.arrival) { self.arrive(number, send.mark) }
            }
            self.after(milliseconds: 1...20) {
                self.whenRunning(node, life) {
                    let outcome = PostingOutcome(isComplete: !isUnsure, receipt: BSONDocument { _ in })
                    node.machine.sent(send, outcome, at: self.now)
                    self.advance(node)
                }
            }
        }
    }

    private func arrive(_ number: Int, _ mark: PostingMark) {
        guard let user = self.documents[number]?.user, self.nodes[self.nodes.count - 1].ledger.admit(mark)
        else { return }
        self.given[user, default: []].append(number)
    }

    // MARK: Names

    private func intakes(_ isWanted: (Document, Int) -> Bool) -> [PostingIntake] {
        self.documents.sorted { $0.key < $1.key }.compactMap { number, document in
            let lane = document.user % PostingLaneRecord.count
            guard isWanted(document, lane), let id = self.id(of: number) else { return nil }
            let event = PreparedPosting(
                key: RouteKey(domain: "app.example", user: "u\(document.user)"), client: nil,
                packet: OutboundPacket(text: ByteBuffer(string: "2[\"\(number)\"]")))
            return PostingIntake(
                id: id, lane: document.isMalformed ? nil : lane, number: document.number,
                content: document.isMalformed ? .failure(PostingRefusal(.field, "no such field")) : .success(event))
        }
    }

    private func id(of number: Int) -> PostingID? {
        PostingID(of: BSONDocument { $0.append("_id", Int64(number)) })
    }

    private func number(of id: PostingID) -> Int { id.element?.int ?? -1 }
}
