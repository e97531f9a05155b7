internal import AsyncHTTPClient
internal import NIOCore
internal import Synchronization

/// An HTTP client for one host. It is bound to an address that was looked at, looks again from time to time, and moves when
/// the host has moved; a request that is under way stays where it is.
final class OutboundClient: Sendable {
    /// A client while somebody uses it. To be given back by ``OutboundClient/end(_:)``.
    final class Binding: Sendable {
        let client: HTTPClient
        let address: IPAddress
        private let uses = Mutex(1)

        init(_ client: HTTPClient, _ address: IPAddress) {
            self.client = client
            self.address = address
        }

        /// - Returns: false for one that nobody uses any more.
        func begin() -> Bool {
            self.uses.withLock { uses in
                if uses > 0 { uses += 1 }
                return uses > 0
            }
        }

        func end() {
            let isLast = self.uses.withLock { uses in
                uses -= 1
                return uses == 0
            }
            // Nothing is under way on it that could fail.
            if isLast { self.client.shutdown { _ in } }
        }
    }

    private struct State {
        var binding: Binding?
        /// Milliseconds: when the address of the binding was last found to be right.
        var checked: Int64 = 0
        var looking: OneTimeSignal?
        var failure = WebhookFailure.address("it was not looked for yet")
        var isOver = false
    }

    /// Milliseconds after which the address is looked at again, meanwhile the known one serves.
    static let refresh: Int64 = 30_000
    /// Milliseconds for which a known address serves while the name cannot be resolved.
    static let longest: Int64 = 300_000

    private let address: OutboundAddress
    private let policy: OutboundPolicy
    private let timeout: TimeAmount
    private let limitsReads: Bool
    private let connections: Int
    private let now: @Sendable () -> Int64
    private let submit: @Sendable (@escaping @Sendable () async -> Void) -> Bool
    private let state = Mutex(State())

    /// - Parameters:
    ///   - timeout: for connecting, and between two pieces of an answer.
    ///   - limitsReads: false: not between pieces, which the caller does.
    ///   - connections: at one time.
    ///   - now: milliseconds of a clock that only runs forward.
    ///   - submit: runs work beside the request that needs it.
    init(
        _ address: OutboundAddress, _ policy: OutboundPolicy, timeout: TimeAmount, limitsReads: Bool = true,
        connections: Int,
        now: @escaping @Sendable () -> Int64,
        submit: @escaping @Sendable (@escaping @Sendable () async -> Void) -> Bool
    ) {
        self.address = address
        self.policy = policy
        self.timeout = timeout
        self.limitsReads = limitsReads
        self.connections = connections
        self.now = now
        self.submit = submit
    }

    private enum Step {
        case use(Binding)
        case look(OneTimeSignal)
        case wait(OneTimeSignal)
        case fail(WebhookFailure)
    }

    /// To be ended.
    func begin() async throws(WebhookFailure) -> Binding {
        var hasWaited = false
        while true {
            let step = self.step(hasWaited: hasWaited)
            switch step {
            case .use(let binding): return binding
            case .fail(let failure): throw failure
            case .look(let signal):
                guard self.submit({ await self.look(signal) }) else {
                    self.state.withLock { $0.looking = nil }
                    signal.fire()
                    throw .full
                }
                await signal.wait()
            case .wait(let signal): await signal.wait()
            }
            guard !Task.isCancelled else { throw .cancelled }
            hasWaited = true
        }
    }

    func end(_ binding: Binding) { binding.end() }

    private func step(hasWaited: Bool) -> Step {
        let now = self.now()
        let (step, refresh) = self.state.withLock { state -> (Step, OneTimeSignal?) in
            if state.isOver { return (.fail(.cancelled), nil) }
            if let binding = state.binding, now - state.checked < Self.longest, binding.begin() {
                guard now - state.checked >= Self.refresh, state.looking == nil else { return (.use(binding), nil) }
                let signal = OneTimeSignal()
                state.looking = signal
                return (.use(binding), signal)
            }
            if let signal = state.looking { return (.wait(signal), nil) }
            if hasWaited { return (.fail(state.failure), nil) }
            let signal = OneTimeSignal()
            state.looking = signal
            return (.look(signal), nil)
        }
        // Beside the request, which goes to the address that is known.
        if let refresh, !self.submit({ await self.look(refresh) }) {
            self.state.withLock { $0.looking = nil }
            refresh.fire()
        }
        return step
    }

    private func look(_ signal: OneTimeSignal) async {
        let result: Result<IPAddress, any Error>
        do {
            result = .success(try await self.policy.destination(of: self.address))
        } catch {
            result = .failure(error)
        }
        let now = self.now()
        let old = self.state.withLock { state -> Binding? in
            state.looking = nil
            if state.isOver { return nil }
            switch result {
            case .success(let address):
                state.checked = now
                if state.binding?.address == address { return nil }
                let old = state.binding
                state.binding = Binding(self.client(to: address), address)
                return old
            case .failure(let error):
                state.failure = .address("\(error)")
                // A name that cannot be resolved may be so for a moment; one that leads elsewhere is not asked.
                guard error is OutboundPolicy.Refusal || now - state.checked >= Self.longest else { return nil }
                defer { state.binding = nil }
                return state.binding
            }
        }
        signal.fire()
        old?.end()
    }

    private func client(to address: IPAddress) -> HTTPClient {
        var configuration = self.policy.client(to: address, of: self.address.host, timeout: self.timeout)
        if !self.limitsReads { configuration.timeout.read = nil }
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = self.connections
        configuration.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    /// Whoever may ask has gone.
    deinit { self.close() }

    /// No request begins any more; those under way end by themselves.
    func close() {
        let binding = self.state.withLock { state in
            state.isOver = true
            defer { state.binding = nil }
            return state.binding
        }
        binding?.end()
    }
}
