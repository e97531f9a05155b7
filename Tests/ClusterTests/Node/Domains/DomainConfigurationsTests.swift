import Logging
import NIOCore
import Routing
import Synchronization
import Testing
import Wire

@testable import Node

/// RM-4: how a node goes by what is stored for its domains.
@Suite("RM-4: configurations of domains on a node") struct DomainConfigurationsTests {
    private struct NoSuchHost: Error {}

    /// A node with its own webhooks; work that it submits runs when the test says so.
    private final class Stage: Sendable {
        let webhooks: Webhooks
        let domains: DomainConfigurations
        private let sent = Mutex<[BusMessage]>([])
        private let work = Mutex<[@Sendable () async -> Void]>([])

        init(_ store: any DomainStore, own: [String: WebhookOptions], others: Int = 1) throws {
            let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            let policy = OutboundPolicy(allowing: .blocks([IPAddress.Block("10.0.0.0/8")].compactMap(\.self))) { host in
                if host == "unknown.example" { throw NoSuchHost() }
                return [IPAddress(host) == nil ? "93.184.216.34" : host]
            }
            let webhooks = Webhooks(
                try ActionRouter([]), refresh: 0,
                WebhookTarget.Environment(
                    policy: policy, metrics: WebhookMetrics(), now: { 0 }, wallTime: { 0 }, submit: { _ in false },
                    traceRate: 0, logger: logger))
            for (domain, options) in own { try webhooks.configure(domain, options) }
            self.webhooks = webhooks
            let late = Late()
            let records = (0..<others).map { _ in
                NodeRecord(id: .random(), name: nil, address: nil, started: 0, homes: [])
            }
            self.domains = DomainConfigurations(
                store: store, webhooks: webhooks, own: own, policy: policy, refresh: 0,
                DomainSurroundings(
                    nodes: { () throws(StoreError) in DirectoryReading(records: records, isComplete: true) },
                    publish: { message, _ in late.stage?.sent.withLock { $0.append(message) } }, localNode: { nil },
                    submit: { work in
                        late.stage?.work.withLock { $0.append(work) }
                        return true
                    }, now: { 77 }), logger: logger)
            late.hold(self)
        }

        /// Runs what was submitted.
        func settle() async {
            func next() -> (@Sendable () async -> Void)? {
                self.work.withLock { work in work.isEmpty ? nil : work.removeFirst() }
            }
            while let work = next() { await work() }
        }

        /// What it has told another node first.
        var told: BusMessage? { self.sent.withLock(\.first) }

        func actions(_ domain: String) -> [String] { self.webhooks.router(for: domain).actions.map(\.name) }

        private final class Late: Sendable {
            private struct Weak: Sendable { weak var stage: Stage? }
            private let held = Mutex(Weak())
            var stage: Stage? { self.held.withLock(\.stage) }
            func hold(_ stage: Stage) { self.held.withLock { $0.stage = stage } }
        }
    }

    private static let secret = WebhookOptions.Secrets.values([String(repeating: "s", count: 32)])

    private static func own(_ change: (inout WebhookOptions) -> Void = { _ in }) -> WebhookOptions {
        var options = WebhookOptions()
        options.secrets = self.secret
        change(&options)
        return options
    }

    private static func document(_ action: String, target: String = "https://b.example/") -> JSONValue {
        ["target": .string(target), "actions": [.string(action)]]
    }

    private static let domain = "app.example"

    @Test("RM-4: what is stored counts in place of the node's own, here at once and elsewhere when it is told")
    func stored() async throws {
        let store = InMemoryDomainStore()
        let own = Self.own {
            $0.target = "https://old.example/"
            $0.actions = [WebhookAction(nil, "/old")]
        }
        let first = try Stage(store, own: [Self.domain: own])
        let second = try Stage(store, own: [Self.domain: own])
        #expect(first.actions(Self.domain) == ["* /old"])
        let before = try await first.domains.answer(for: Self.domain)
        #expect(before.source == .node && before.version == 0 && before.applied == 0)
        #expect(before.configuration == ["target": "https://old.example/", "actions": ["* /old"]])

        let version = try await first.domains.put(
            Self.document("/new"), for: Self.domain, replacing: 0, by: "deploy")
        #expect(version == 1 && first.actions(Self.domain) == ["* /new"])
        #expect(first.webhooks.router(for: Self.domain).actions.first?.label == "stored")
        #expect(second.actions(Self.domain) == ["* /old"])
        await first.settle()
        let notice = try #require(first.told)
        #expect(try DomainNotice(notice) == DomainNotice(domain: Self.domain, version: 1))
        second.domains.receive(notice)
        await second.settle()
        #expect(second.actions(Self.domain) == ["* /new"])
        let after = try await second.domains.answer(for: Self.domain)
        #expect(
            after
                == DomainAnswer(
                    domain: Self.domain, version: 1, applied: 1, source: .stored, configuration: Self.document("/new"),
                    changed: 77, author: "deploy"))
    }

    @Test("RM-4: a stale version is refused and told the present one, and nothing changes")
    func stale() async throws {
        let stage = try Stage(InMemoryDomainStore(), own: [Self.domain: Self.own()])
        for version in Int64(0)..<3 {
            let document = Self.document("/v\(version)")
            #expect(
                try await stage.domains.put(document, for: Self.domain, replacing: version, by: "a") == version + 1)
        }
        for version in [0, 2, 4, Int64.max] {
            await #expect(throws: DomainRefusal.stale(version: 3)) {
                try await stage.domains.put(Self.document("/x"), for: Self.domain, replacing: version, by: "a")
            }
        }
        #expect(stage.actions(Self.domain) == ["* /v2"])
    }

    @Test("RM-4: a node that starts later, or that was told nothing, reads it; it never goes back")
    func late() async throws {
        let store = InMemoryDomainStore()
        let first = try Stage(store, own: [Self.domain: Self.own()])
        _ = try await first.domains.put(Self.document("/1"), for: Self.domain, replacing: 0, by: "a")
        let second = try Stage(store, own: [Self.domain: Self.own()])
        try await second.domains.start()
        #expect(second.actions(Self.domain) == ["* /1"])
        _ = try await first.domains.put(Self.document("/2"), for: Self.domain, replacing: 1, by: "a")
        second.domains.reread()
        await second.settle()
        #expect(second.actions(Self.domain) == ["* /2"] && second.webhooks.version(of: Self.domain) == 2)

        // What was restored from a copy is older: it waits for a restart, or for more changes.
        let older = InMemoryDomainStore()
        let third = try Stage(older, own: [Self.domain: Self.own()])
        var options = Self.own()
        options.target = "https://b.example/"
        options.actions = [WebhookAction(nil, "/5")]
        #expect(try third.webhooks.configure(Self.domain, options, version: 5))
        #expect(try third.webhooks.configure(Self.domain, Self.own(), version: 4) == false)
        _ = try await third.domains.put(Self.document("/1"), for: Self.domain, replacing: 0, by: "a")
        try await third.domains.start()
        #expect(third.actions(Self.domain) == ["* /5"] && third.webhooks.version(of: Self.domain) == 5)
    }

    @Test("RM-4: what a node cannot apply changes nothing there")
    func refused() async throws {
        let store = InMemoryDomainStore()
        let stage = try Stage(store, own: [Self.domain: Self.own()])
        _ = try await stage.domains.put(Self.document("/1"), for: Self.domain, replacing: 0, by: "a")
        for (version, text) in ["no JSON", #"{"target": 1}"#, #"{"hooks": ["newer"]}"#].enumerated() {
            let record = DomainRecord(
                domain: Self.domain, version: Int64(version) + 2, document: Array(text.utf8), author: "a", changed: 0)
            #expect(try await store.replace(by: record) == nil)
            try await stage.domains.start()
            #expect(stage.actions(Self.domain) == ["* /1"] && stage.webhooks.version(of: Self.domain) == 1)
        }
        // The next one that is in order counts.
        #expect(
            try await stage.domains.put(Self.document("/5"), for: Self.domain, replacing: 4, by: "a") == 5)
        #expect(stage.actions(Self.domain) == ["* /5"])
    }

    @Test("RM-4, DESIGN §7: targets obey the rules of flags, and are not asked without a secret")
    func targets() async throws {
        let stage = try Stage(InMemoryDomainStore(), own: [Self.domain: Self.own(), "bare.example": WebhookOptions()])
        // A name that nobody knows at the moment may be known when it is asked.
        let allowed = ["http://10.1.2.3/", "https://unknown.example/", "https://public.example/"]
        for target in allowed + [
            "http://public.example/", "http://127.0.0.1/", "https://[::1]/", "https://192.168.1.1/",
        ] {
            let isAllowed = allowed.contains(target)
            do {
                _ = try await stage.domains.put(
                    Self.document("/x", target: target), for: Self.domain,
                    replacing: stage.webhooks.version(of: Self.domain), by: "a")
                #expect(isAllowed, "\(target)")
            } catch let error as DomainRefusal {
                guard case .mistakes(let mistakes) = error else { throw error }
                #expect(!isAllowed && mistakes.all.map(\.path) == ["/target"], "\(target)")
            }
        }
        let refusal = await #expect(throws: DomainRefusal.self) {
            try await stage.domains.put(Self.document("/x"), for: "bare.example", replacing: 0, by: "a")
        }
        guard case .secret = refusal else {
            Issue.record("it was \(String(describing: refusal))")
            return
        }
        // Nothing would be sent by this one.
        #expect(try await stage.domains.put([:], for: "bare.example", replacing: 0, by: "a") == 1)
    }

    @Test("OP-4: notices of nobody's domains, of old versions, and such that are none, cause no work")
    func notices() async throws {
        let store = InMemoryDomainStore()
        let stage = try Stage(store, own: [Self.domain: Self.own()])
        _ = try await stage.domains.put(Self.document("/1"), for: Self.domain, replacing: 0, by: "a")
        let record = DomainRecord(
            domain: Self.domain, version: 2, document: Array(#"{}"#.utf8), author: "a", changed: 0)
        #expect(try await store.replace(by: record) == nil)
        await stage.settle()
        stage.domains.receive(DomainNotice(domain: "other.example", version: 9).message)
        stage.domains.receive(DomainNotice(domain: Self.domain, version: 1).message)
        stage.domains.receive(BusMessage(kind: .config, key: "", payload: ByteBuffer(bytes: [1, 2])))
        await stage.settle()
        #expect(stage.actions(Self.domain) == ["* /1"])
        stage.domains.receive(DomainNotice(domain: Self.domain, version: 2).message)
        await stage.settle()
        #expect(stage.actions(Self.domain).isEmpty && stage.webhooks.version(of: Self.domain) == 2)
    }
}
