import Testing

@testable import Node

/// The options of webhooks (SPEC RM-2, OP-1).
@Suite struct WebhookOptionsTests {
    private static func options(_ change: (inout WebhookOptions) -> Void = { _ in }) -> WebhookOptions {
        var options = WebhookOptions()
        options.target = "https://app.example/hooks"
        options.secrets = .environment("HOOK_SECRET")
        change(&options)
        return options
    }

    private static func complaint(
        _ options: WebhookOptions, name: String = "app.example", allowing: [String] = []
    ) -> String? {
        var domain = DomainOptions()
        domain.webhooks = options
        var configuration = Configuration()
        configuration.domains = [.init(name, options: domain)]
        configuration.webhookPrivateTargets = allowing
        return configuration.webhookComplaints().first.map { "\($0)" }
    }

    @Test("Nothing, and a target with its secret, are in order; without action or hook nothing is used")
    func good() {
        #expect(Self.complaint(WebhookOptions()) == nil)
        #expect(Self.complaint(Self.options()) == nil)
        #expect(!Self.options().isUsed)
        #expect(Self.options { $0.hooks = [.presence] }.isUsed)
        #expect(Self.options { $0.actions = [WebhookAction(nil, "/a")] }.isUsed)
        #expect(Self.complaint(Self.options { $0.target = "http://10.0.0.1/" }, allowing: ["10.0.0.0/8"]) == nil)
    }

    @Test("All mistakes are named at once, each with its domain")
    func mistakes() throws {
        let complaint = try #require(
            Self.complaint(
                Self.options {
                    $0.target = "ftp://x"
                    $0.secrets = .none
                    $0.timeout = 0
                    $0.maxAnswerLength = 0
                    $0.concurrency = 0
                    $0.waiting = -1
                    $0.presenceRetries = 11
                    $0.breakerThreshold = -1
                    $0.breakerPause = 0
                    $0.actions = [WebhookAction(.get, "no-slash"), WebhookAction(nil, "(", isPattern: true)]
                }, allowing: ["10.0.0.0/33"]))
        for words in [
            "ftp://x", "needs a secret", "timeout", "maxAnswerLength", "concurrency", "waiting", "presenceRetries",
            "breakerThreshold", "breakerPause", "no-slash", "regular expression", "10.0.0.0/33",
        ] {
            #expect(complaint.contains(words), "\(words)")
        }
        #expect(complaint.contains("app.example: timeout"))
    }

    @Test("What could never be asked is refused at start")
    func impossible() throws {
        #expect(Self.complaint(Self.options { $0.target = "http://app.example/" })?.contains("not https") == true)
        // A secret may wait for a configuration that is stored.
        #expect(Self.complaint(Self.options { $0.target = nil }) == nil)
        for change in [{ $0.hooks = [.presence] }, { $0.actions = [WebhookAction(nil, "/a")] }]
            as [(inout WebhookOptions) -> Void]
        {
            let complaint = Self.complaint(
                Self.options {
                    $0.target = nil
                    change(&$0)
                })
            #expect(complaint?.contains("no target") == true)
        }
        #expect(Self.complaint(Self.options { $0.target! += "#x" })?.contains("fragment") == true)
        #expect(Self.complaint(Self.options(), name: "*.app.example")?.contains("wildcard") == true)
    }

    @Test("Actions are written as they are spoken of")
    func actions() {
        #expect(WebhookAction("POST /posts/:id") == WebhookAction(.post, "/posts/:id"))
        #expect(WebhookAction("/posts/*") == WebhookAction(nil, "/posts/*"))
        #expect(WebhookAction("* /posts") == WebhookAction(nil, "/posts"))
        #expect(WebhookAction("GET ~/p/[0-9]+") == WebhookAction(.get, "/p/[0-9]+", isPattern: true))
        for text in ["", "get /x", "POST /x y", " "] { #expect(WebhookAction(text) == nil, "\(text)") }
    }
}
