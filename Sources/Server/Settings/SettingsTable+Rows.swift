import Logging
import Node

/// The rows, in the order of the reference.
extension SettingsTable {
    static let addresses: [Setting] = [
        Setting(
            section: .node, flag: "dev", kind: .toggle, fallback: ["false"],
            summary:
                "Development mode: loopback only, identities are believed, keys are made at start, `/demo/` is served."),
        Setting(
            section: .node, flag: "name", kind: .text, otherwise: "a nameless node",
            summary:
                "A unique name of the node that stays over restarts: a newer process of that name supersedes the older one."
        ),
        Setting(
            section: .node, flag: "address", kind: .text, otherwise: "none; with `dev` the listener's",
            summary: "Where a browser reaches this very node; shown by the demo."),
        Setting(
            section: .node, flag: "loops", kind: .integer(1...64), otherwise: "one per core", summary: "Event loops."),
        Setting(
            section: .listen, flag: "host", kind: .text, fallback: ["127.0.0.1"],
            summary: "Address on which clients are listened for."),
        Setting(
            section: .listen, flag: "port", kind: .integer(0...65_535), fallback: ["8080"],
            summary: "Port for clients; 0 lets the system choose."),
        Setting(
            section: .listen, flag: "domain", kind: .text, otherwise: "none; with `dev` localhost", isList: true,
            summary: "Domains that are served; the first is the default one. At least one in production."),
        Setting(
            section: .listen, flag: "alias", kind: .text, otherwise: "none", isList: true,
            summary: "Other names that domains answer to, each as `name=domain` or `*.name=domain`."),
        Setting(
            section: .listen, flag: "public-port", kind: .integer(1...65_535), otherwise: "none", isList: true,
            summary: "Ports beside 80 and 443 that browsers name in Host and Origin."),
        Setting(
            section: .listen, flag: "trusted-proxy", kind: .text, fallback: ["127.0.0.0/8", "::1/128"], isList: true,
            summary: "CIDR blocks of proxies whose `X-Forwarded-*` headers are believed; replaces the default."),
        Setting(
            section: .control, flag: "control-host", kind: .text, fallback: ["127.0.0.1"],
            summary: "Address of the control listener; beyond loopback it needs `control.keys`."),
        Setting(
            section: .control, flag: "control-port", kind: .integer(0...65_535), otherwise: "`listen.port` + 1000",
            summary: "Port of the control listener."),
        Setting(
            section: .control, flag: "control-keys", kind: .path, otherwise: "none", isReloaded: true,
            summary: "File of the control API's keys, as `submergence keys` makes it."),
        Setting(
            section: .control, flag: "control-name", kind: .text, otherwise: "none", isList: true,
            summary:
                "Host names by which a proxy with TLS reaches a control listener on loopback; only with `control.keys`."
        ),
        Setting(
            section: .control, flag: "control-rate", kind: .integer(0...1_000_000), fallback: ["200"],
            summary: "Requests a second of one control key; 0: any number."),
    ]

    static let database: [Setting] = [
        Setting(
            section: .mongodb, flag: "mongodb", kind: .connection, otherwise: "in memory, one node", leaf: "uri",
            summary: "Connection string of a replica set or a sharded cluster. In a file only without a password."),
        Setting(
            section: .mongodb, flag: "mongodb-uri-file", kind: .path, otherwise: "none",
            summary: "File of mode 0600 whose first line is the connection string."),
        Setting(
            section: .mongodb, flag: "database", kind: .text, fallback: ["submergence"],
            summary: "Database of sessions, routes and nodes; those of the inboxes begin with the same name."),
        Setting(
            section: .mongodb, flag: "collection-prefix", kind: .text, otherwise: "none",
            summary: "Put before the names of all collections, so that several installations share a database."),
        Setting(
            section: .mongodb, flag: "tail", kind: .choice(TailMode.allCases.map(\.rawValue)), fallback: ["auto"],
            summary: "How inboxes are read: change streams, cursors, or whichever the servers allow."),
        Setting(
            section: .mongodb, flag: "bus-uri", kind: .connection, otherwise: "the data shards", isList: true,
            summary: "Replica sets that carry the bus. In a file only without passwords."),
        Setting(
            section: .mongodb, flag: "bus-uri-file", kind: .path, otherwise: "none",
            summary: "File of mode 0600 with one such connection string a line."),
        Setting(
            section: .mongodb, flag: "slot-size", kind: .size(SizeKind(unit: 1 << 20, bytes: (1 << 20)...(16 << 30))),
            fallback: ["256MiB"], summary: "Size of one inbox slot; counts when the slots are made."),
        Setting(
            section: .outbox, flag: "outbox", kind: .toggle, fallback: ["false"], leaf: "serve",
            summary: "Send what applications put into the collection Outbox, in their own transactions. Needs MongoDB."),
        Setting(
            section: .outbox, flag: "outbox-keep", kind: seconds(0...31_536_000, isWhole: true), fallback: ["1d"],
            summary: "How long documents are kept once they are done with, with their receipts; 0: not at all."),
        Setting(
            section: .outbox, flag: "outbox-poll", kind: milliseconds(0.05...60), fallback: ["200ms"],
            summary: "Between looks into the outbox where no change stream tells that there is something."),
        Setting(
            section: .outbox, flag: "outbox-in-flight", kind: .integer(16...2_048), fallback: ["512"],
            summary: "Documents that this node has in its hands."),
        Setting(
            section: .outbox, flag: "outbox-retry", kind: seconds(0...3_600, isWhole: true), fallback: ["1m"],
            summary: "How long a document is sent again while some node cannot be reached."),
    ]

    static let identity: [Setting] = [
        Setting(
            section: .session, flag: "signing-keys", kind: .path, otherwise: "made at start with `dev`, else required",
            summary: "File of mode 0600, one base64url key of at least 32 bytes a line: the first signs, all verify. "
                + "SIGHUP reads it again; another file needs a restart."),
        Setting(
            section: .session, flag: "signing-key-refresh", kind: seconds(0...day), fallback: ["30s"],
            summary: "Key files are read again after so long; 0: only on SIGHUP."),
        Setting(
            section: .session, flag: "session-lifespan", kind: seconds(0.001...tenYears), fallback: ["1d"],
            summary: "Age at which a session's token is replaced."),
        Setting(
            section: .session, flag: "session-renewal-timeout", kind: seconds(0.001...tenYears), fallback: ["3d"],
            summary: "Longest inactivity after which it is still replaced."),
        Setting(
            section: .session, flag: "login-lifespan", kind: seconds(0...tenYears), fallback: ["14d"],
            summary: "Hard end since the login; 0: none."),
        Setting(
            section: .session, flag: "renewal-grace", kind: seconds(0...tenYears), fallback: ["2m"],
            summary: "How long a replaced token stays good once its successor was presented."),
        Setting(
            section: .session, flag: "activity-resolution", kind: seconds(0.001...tenYears), fallback: ["5m"],
            summary: "Activity of a session is written, and a live connection's session looked at, about so often."),
        Setting(
            section: .session, flag: "revoke-superseded", kind: .toggle, fallback: ["false"],
            summary: "A replaced token that is presented after its grace ends its whole login."),
        Setting(
            section: .session, flag: "live-requires", kind: .choice(LiveRequirement.allCases.map(\.rawValue)),
            fallback: ["active"], summary: "Who may open a live connection."),
        Setting(
            section: .token, flag: "token-issuer", kind: .text, otherwise: "none",
            summary: "Take tokens (JWT) of this issuer beside session cookies: the exact value of `iss`."),
        Setting(
            section: .token, flag: "token-audience", kind: .text, otherwise: "none",
            summary: "The audience that they must name."),
        Setting(
            section: .token, flag: "token-keys", kind: .pathOrURL, otherwise: "none",
            summary: "The issuer's JSON Web Key Set."),
        Setting(
            section: .token, flag: "token-domain", kind: .text, otherwise: "the only one",
            summary: "The domain that these identities belong to."),
        Setting(
            section: .token, flag: "token-user-claim", kind: .text, fallback: ["sub"],
            summary: "The claim that names the user."),
        Setting(
            section: .token, flag: "token-client-claim", kind: .text, otherwise: "all are the client `token`",
            summary: "The claim that names the client, a device of the user."),
        Setting(
            section: .token, flag: "token-ask-before", kind: seconds(0...day), fallback: ["1m"],
            summary: "A live client is asked for a new token so long before its old one expires."),
        Setting(
            section: .token, flag: "token-clock-skew", kind: seconds(0...300), fallback: ["30s"],
            summary: "How far the issuer's clock may be off."),
        Setting(
            section: .token, flag: "token-key-refresh", kind: seconds(1...tenYears), fallback: ["10m"],
            summary: "Keys are read again after so long."),
        Setting(
            section: .token, flag: "token-keys-may-be-private", kind: .toggle, fallback: ["false"],
            summary: "Fetch keys by http and from private addresses, too: for tests."),
    ]

    static let connections: [Setting] = [
        Setting(
            section: .transport, flag: "path", kind: .text, fallback: ["/socket.io/"], summary: "Where Socket.IO lives."
        ),
        Setting(
            section: .transport, flag: "cookie", kind: .text, otherwise: "none",
            summary: "Name of an affinity cookie that names the node."),
        Setting(
            section: .transport, flag: "session-label", kind: .text, otherwise: "none",
            summary:
                "Put before the ids of sessions that poll, so that a proxy sees whose they are; another one for each node."
        ),
        Setting(
            section: .transport, flag: "cors-origin", kind: .text, otherwise: "none", isList: true,
            summary:
                "Origins whose pages may use the engine path, as `https://app.example` or `https://*.app.example`; or `*`."
        ),
        Setting(
            section: .transport, flag: "cors-credentials", kind: .toggle, fallback: ["false"],
            summary: "Such pages may send cookies; not with `*`."),
        Setting(
            section: .transport, flag: "compress-polling", kind: .toggle, fallback: ["false"],
            summary: "Compress the answers to polls, from 1,024 bytes on."),
        Setting(
            section: .transport, flag: "compress-messages", kind: .toggle, fallback: ["false"],
            summary: "Offer permessage-deflate on WebSocket, from 1,024 bytes on."),
        Setting(
            section: .transport, flag: "recovery", kind: seconds(0...3_600, isWhole: true), fallback: ["0s"],
            summary: "Connection state recovery: how long a lost client may be away; 0: off."),
        Setting(
            section: .ping, flag: "ping-interval", kind: milliseconds(0.01...day), fallback: ["10s"],
            summary: "Time between heartbeats."),
        Setting(
            section: .ping, flag: "ping-timeout", kind: milliseconds(0.01...day), fallback: ["10s"],
            summary: "Time to answer one."),
        Setting(
            section: .limits, flag: "max-payload", kind: .size(SizeKind(unit: 1, bytes: 1...(1 << 30))),
            fallback: ["1000000"], summary: "Most of one polling request or WebSocket message."),
        Setting(
            section: .limits, flag: "max-sockets-per-address", kind: .integer(0...Int(Int32.max)), fallback: ["1000"],
            developmentFallback: ["0"], isReloaded: true,
            summary: "Sockets of one client address on this node; 0: any number, which development mode has."),
        Setting(
            section: .limits, flag: "handshakes-per-second", kind: .integer(0...100_000), fallback: ["100"],
            developmentFallback: ["0"], isReloaded: true,
            summary:
                "New sockets of one client address each second, ten times as many at once; 0: any number, which development "
                + "mode has."),
        Setting(
            section: .limits, flag: "accept-rate", kind: .integer(1...1_000_000), fallback: ["1000"], isReloaded: true,
            summary: "New sockets a second that this node takes, a tenth of it at once."),
        Setting(
            section: .limits, flag: "connect-target", kind: seconds(0...60), fallback: ["1s"],
            summary: "As many connects are worked on at once as get done in so long; 0: any number."),
        Setting(
            section: .limits, flag: "max-drain", kind: seconds(1...3_600, isWhole: true), fallback: ["1m"],
            isReloaded: true, summary: "Most that a drain takes, however little the other nodes can take."),
    ]

    static let others: [Setting] = [
        Setting(
            section: .presence, flag: "presence-grace", kind: seconds(0...600), fallback: ["5s"],
            summary: "How long a user or device without a connection stays announced online; 0: not at all."),
        Setting(
            section: .presence, flag: "moving-grace", kind: seconds(0...600), fallback: ["20s"],
            summary: "The same for connections that a draining node sends elsewhere, if that is longer."),
        Setting(
            section: .presence, flag: "link-grace", kind: seconds(0...600), fallback: ["10s"],
            summary: "How long a Link waits for a party without a connection; 0: not at all."),
        Setting(
            section: .webhook, flag: "webhook", kind: .text, otherwise: "none", leaf: "target",
            summary: "Where actions and hooks of the first domain go, an https address (docs/webhooks.md)."),
        Setting(
            section: .webhook, flag: "webhook-action", kind: .text, otherwise: "none", isList: true,
            summary: "Actions that are forwarded, each as `POST /posts/:id`, `* /board/*` or `GET ~/p/[0-9]+`."),
        Setting(
            section: .webhook, flag: "webhook-hook",
            kind: .choice(WebhookOptions.Hook.allCases.map(\.rawValue).sorted()), otherwise: "none", isList: true,
            summary: "Hooks that go there."),
        Setting(
            section: .webhook, flag: "webhook-secret-file", kind: .path, otherwise: "`SUBMERGENCE_WEBHOOK_SECRET`",
            summary: "File of mode 0600 with the secret that requests are signed by, or two of them, one a line."),
        Setting(
            section: .webhook, flag: "webhook-domain-secret", kind: .text, otherwise: "none", isList: true,
            summary: "Such files of other domains than the first, each as `shop.example=/etc/submergence/shop-secret`."),
        Setting(
            section: .webhook, flag: "webhook-timeout", kind: seconds(0.1...60), fallback: ["10s"],
            summary: "How long a request may take."),
        Setting(
            section: .webhook, flag: "webhook-concurrency", kind: .integer(1...1_000), fallback: ["64"],
            summary: "Requests to a target at one time."),
        Setting(
            section: .webhook, flag: "webhook-waiting", kind: .integer(0...100_000), fallback: ["1000"],
            summary: "Requests that wait for their turn."),
        Setting(
            section: .webhook, flag: "webhook-breaker-threshold", kind: .integer(0...1_000), fallback: ["20"],
            summary: "Failures in a row after which a target is left alone for a while; 0: never."),
        Setting(
            section: .webhook, flag: "webhook-breaker-pause", kind: seconds(0.1...3_600), fallback: ["5s"],
            summary: "For how long."),
        Setting(
            section: .webhook, flag: "webhook-private-target", kind: .text, otherwise: "none", isList: true,
            summary: "Addresses that are not public and to which webhooks may go all the same, as CIDR blocks."),
        Setting(
            section: .outbound, flag: "outbound-ca", kind: .path, otherwise: "the system's alone",
            summary:
                "File of certificates (PEM) of authorities that are trusted beside the system's for webhooks and key sets."
        ),
        Setting(
            section: .ice, flag: "ice-server", kind: .text, otherwise: "none", isList: true,
            summary: "STUN servers that pages are told of."),
        Setting(
            section: .ice, flag: "turn-url", kind: .text, otherwise: "none", isList: true,
            summary: "TURN relays that pages are told of, with credentials of their own."),
        Setting(
            section: .ice, flag: "turn-secret-file", kind: .path, otherwise: "`SUBMERGENCE_TURN_SECRET`",
            summary: "File of mode 0600 whose first line is the secret that the relays share."),
        Setting(
            section: .ice, flag: "turn-lifetime", kind: seconds(10...day), fallback: ["1h"],
            summary: "How long credentials for relays are good."),
        Setting(
            section: .trace, flag: "trace", kind: .number(0...1), fallback: ["0"], leaf: "share",
            summary:
                "Share of sent events whose way is written down for `submergence why`, and of webhooks that begin a "
                + "trace. Needs MongoDB."),
        Setting(
            section: .trace, flag: "trace-keep", kind: seconds(60...604_800, isWhole: true), fallback: ["1h"],
            summary: "How long that is kept."),
        Setting(
            section: .log, flag: "log-level", kind: .choice(Logger.Level.allCases.map(\.rawValue)), fallback: ["info"],
            isReloaded: true, summary: "Least severe level that is logged."),
        Setting(
            section: .log, flag: "log-format", kind: .choice(LogFormat.allCases.map(\.rawValue)), fallback: ["human"],
            summary: "Lines for people, or one JSON object a line."),
        Setting(
            section: .log, flag: "log-presence", kind: .output, otherwise: "none",
            summary: "Append announced presence to this file, as JSON lines."),
    ]
}
