import Routing

/// The routes of a simulated node: rounds of commits, and what they announce.
extension RoutingSimulatedNode {
    func submit(
        _ change: RouteChange, key: RouteKey, known: RouteDocument? = nil, completion: @escaping Completion
    ) {
        let shard = self.simulation.shard(of: key)
        guard let (id, settlement) = self.commits[shard].add(change, key: key, known: known, now: self.now) else {
            return completion(.failure(.busy))
        }
        self.completions[shard][id] = completion
        self.settle(settlement, shard)
    }

    func settle(_ settlement: RouteCommitMachine.Settlement, _ shard: Int) {
        for document in settlement.commits { self.emission.offer(document) }
        for (key, due, changes) in settlement.graces {
            let isKept = self.keeper.note(key, due: due, isNew: changes.isKept)
            if !isKept { self.simulation.trace("  no room to keep \(key.user)") }
        }
        for (document, changes) in settlement.links { self.note(document, changes) }
        for (_, connection) in settlement.superseded { self.tell(connection) }
        for (id, result) in settlement.results { self.completions[shard].removeValue(forKey: id)?(result) }
    }

    func pump() {
        guard self.isRunning else { return }
        if self.lease.end != nil { return self.end() }
        for action in self.reap.due(at: self.now) { self.perform(action) }
        self.finishGraces()
        for action in self.emission.next(now: self.now, mayCall: self.standing.mayCallHandlers) {
            switch action {
            case .call(let id, let key, let transition):
                self.simulation.emit(transition, key: key, node: self.id)
                let length = self.simulation.chance(1) ? 12_000 : self.simulation.random(0...30)
                self.perform(at: self.simulation.now + length * 1_000_000) { self.emission.finished(id) }
            case .acknowledge(let key, let sequence, let known):
                self.submit(.acknowledge(through: sequence), key: key, known: known) { result in
                    if case .success = result { self.emission.acknowledged(key) }
                }
            }
        }
        guard self.standing.mayWriteRoutes else { return }
        for shard in self.commits.indices {
            while let round = self.commits[shard].start(now: self.now) { self.carryOut(round, shard) }
            if let next = self.commits[shard].nextStart {
                self.simulation.at(next - self.isSkewedBy) { self.perform {} }
            }
        }
    }

    private func carryOut(_ round: RouteCommitMachine.Round, _ shard: Int) {
        if round.reads.isEmpty { return self.write(round, [:], shard) }
        func found(_ documents: [RouteKey: RouteDocument]) -> [RouteKey: RouteDocument] {
            documents.filter { round.reads.contains($0.key) }
        }
        self.ask(.shard(shard), effect: { found(self.simulation.documents) }, stale: found) { result in
            switch result {
            case .success(let documents): self.write(round, documents, shard)
            case .failure(let error): self.finish(round, shard) { $0.fail(round, error, now: self.now) }
            }
        }
    }

    private func write(_ round: RouteCommitMachine.Round, _ documents: [RouteKey: RouteDocument], _ shard: Int) {
        guard self.standing.mayWriteRoutes else {
            return self.finish(round, shard) { $0.postpone(round, now: self.now) }
        }
        let writes = self.commits[shard].prepare(
            round, documents: documents, now: self.now, clusterTime: self.clusterTime,
            claimed: self.directory.snapshot.claimed)
        if writes.isEmpty { return self.finish(round, shard) { $0.finish(round, outcomes: [], now: self.now) } }
        self.ask(.shard(shard)) {
            writes.map(self.simulation.apply)
        } answer: { result in
            self.finish(round, shard) {
                switch result {
                case .success(let outcomes): $0.finish(round, outcomes: outcomes, now: self.now)
                case .failure(let error): $0.fail(round, error, now: self.now)
                }
            }
        }
    }

    private func finish(
        _ round: RouteCommitMachine.Round, _ shard: Int,
        _ body: (inout RouteCommitMachine) -> RouteCommitMachine.Settlement
    ) {
        self.settle(body(&self.commits[shard]), shard)
        self.commits[shard].release(round)
    }
}
