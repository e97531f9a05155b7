internal import Logging
internal import Metrics
internal import Routing

/// Replacing tokens that have reached their age (SPEC ID-9), and what becomes of the old ones.
extension SessionAuthority {
    func renewIfDue(_ agent: Agent) async {
        let state = agent.snapshot()
        guard let secret = state.due, let record = state.record else { return }
        var renewal = RenewalMachine(
            record, secret, keys: self.keys.current, machine: self.machine, now: self.now())
        do {
            try await self.apply(self.perform(&renewal), to: agent)
        } catch {
            // The session is as good as before; the next request tries again.
            self.renewals.failed.increment()
            self.logger.warning("a session was not renewed", metadata: ["error": "\(error)"])
        }
    }

    private func perform(_ renewal: inout RenewalMachine) async throws(StoreError) -> RenewalMachine.Outcome {
        var generator = SystemRandomNumberGenerator()
        var step = renewal.start(nonce: (0..<SessionRecord.Renewal.nonceLength).map { _ in generator.next() })
        while true {
            switch step {
            case .begin(let hash, let proposal):
                step = renewal.began(try await self.store.beginRenewal(hash, proposal))
            case .insert(let successor):
                try await self.store.insert(successor)
                step = renewal.inserted()
            case .confirm(let hash): step = renewal.confirmed(try await self.store.findLatest(hash))
            case .invalidate(let hash):
                try await self.store.invalidate(hash, reason: "revoked")
                return .revoked
            case .end(let outcome): return outcome
            }
        }
    }

    private func apply(_ outcome: RenewalMachine.Outcome, to agent: Agent) {
        switch outcome {
        case .renewed(let record, let secret):
            self.renewals.renewed.increment()
            agent.become(.active, record: record, cookies: self.cookies(for: record, secret))
        case .stale(let record):
            self.renewals.stale.increment()
            switch self.machine.state(of: record, in: agent.domain, at: self.now()) {
            case .guest(let reason):
                if reason == .superseded { self.noteSuperseded(record, address: agent.address) }
                agent.become(.guest, record: nil, cookies: [])
            case .idle: agent.become(.idle, record: record, cookies: [])
            case .active: agent.become(.active, record: record, cookies: [])
            }
        case .revoked:
            self.renewals.revoked.increment()
            agent.become(.guest, record: nil, cookies: [])
        case .underivable:
            self.renewals.underivable.increment()
            self.logger.warning(
                "a session cannot be renewed: it began with a signing key that is not here",
                metadata: ["domain": "\(agent.domain)"])
        }
    }

    /// From the moment on at which a successor is first presented, the grace of its predecessor runs. Written in the
    /// background, once.
    func notePresented(_ record: SessionRecord) {
        guard let predecessor = record.predecessor, self.cache.claimPresentation(record) else { return }
        let now = self.now()
        let isAccepted = self.submit {
            do {
                try await self.store.noteSuccessorPresented(predecessor, successor: record.hash, at: now)
            } catch {
                self.cache.releasePresentation(record)
                self.logger.warning("a successor's presentation was not written", metadata: ["error": "\(error)"])
            }
        }
        if !isAccepted { self.cache.releasePresentation(record) }
    }

    /// Somebody holds an old copy of a cookie: goes to the security log, and ends the chain where that is wanted.
    func noteSuperseded(_ record: SessionRecord?, address: String) {
        self.renewals.superseded.increment()
        guard let record else { return }
        self.logger.warning(
            "a replaced session was presented after its grace",
            metadata: [
                "domain": "\(record.domain)", "address": "\(address)",
                "session": "\(Base64URLText.encode(record.hash.prefix(6)))", "security": "superseded",
            ])
        guard self.revokesSupersededChains else { return }
        let isAccepted = self.submit {
            do {
                try await self.revocation.revokeChain(
                    Invalidation(
                        domain: record.domain, user: record.user, client: record.client, reason: .session,
                        chain: record.chain))
            } catch {
                self.logger.warning("a chain was not revoked", metadata: ["error": "\(error)"])
            }
        }
        if !isAccepted { self.logger.warning("a chain was not revoked", metadata: ["error": "the work pool is full"]) }
    }
}
