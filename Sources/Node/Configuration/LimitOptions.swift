import NIOCore
import Routing
import Wire

/// What clients may send, and how much and how fast, beyond what ``LiveOptions`` itself names (SOCKETIO §18, SPEC LK-17).
/// Times are in seconds, sizes in bytes. Beyond each there is a named refusal and a metric (docs/operations.md, "Limits").
///
/// Conformance mode has no limit per address and no rate; development mode none per address.
public struct LimitOptions: Sendable, Equatable {
    /// A token bucket.
    public struct Rate: Sendable, Equatable {
        /// Tokens that come back each second, 1 to 100,000.
        public var perSecond: Int
        /// Tokens of a full bucket: what may come at once, 1 to 9,000,000.
        public var burst: Int

        public init(perSecond: Int, burst: Int) {
            self.perSecond = perSecond
            self.burst = burst
        }
    }

    // MARK: HTTP

    /// Bytes of a request's target. Default 8,192.
    public var maximumTarget: Int
    /// Bytes of a request's head. Default 16,384.
    public var maximumHead: Int
    /// Fields of a request's head. Default 100.
    public var maximumHeadFields: Int
    /// From accepting a connection to its first byte. Default 10. ``LiveOptions/headTimeout`` begins there.
    public var firstByteTimeout: Double
    /// From the head of a request to the end of its body. Default 30.
    public var bodyTimeout: Double
    /// The same for the body that an action reads. Default 10 (SPEC AC-12).
    public var actionBodyTimeout: Double
    /// How long an HTTP connection stays open between requests. Default 60.
    public var idleTimeout: Double
    /// How long a client may take nothing of a streamed answer that waits for it. Default 60.
    public var answerStallTimeout: Double

    // MARK: Messages

    /// Engine.IO packets of one POST. Default 16,384.
    public var maximumPackets: Int
    /// Attachments of one packet, at most 255. Default 10, which is what official clients take.
    public var maximumAttachments: Int
    /// Bytes of one packet with its attachments; nil: four times ``LiveOptions/maximumPayload``.
    public var maximumPacket: Int?
    /// Time for all attachments of a packet to come; nil: heartbeat interval and timeout together.
    public var attachmentTimeout: Double?
    /// Bytes of a namespace's name. Default 256.
    public var maximumNamespaceName: Int
    /// Namespaces of one session, `/` among them; at most 250. Default 32.
    public var namespacesPerSession: Int
    /// Bytes of the name of an event that a client sends. Default 128 (SPEC EV-4).
    public var maximumEventName: Int
    /// Nesting of a packet's JSON, 1 to 64. Default 64 (SPEC WS-3).
    public var maximumDepth: Int
    /// Bytes of the payload of CONNECT. Default 16,384.
    public var maximumAuth: Int
    /// Replies that one socket may owe to the server. Default 1,024.
    public var pendingAcks: Int
    /// Rooms of one socket. Default 1,024.
    public var roomsPerSocket: Int
    /// Bytes of a room's name. Default 256.
    public var maximumRoomName: Int

    // MARK: Per client address

    /// Engine sessions of one client address on this node; nil: any number. Default 1,000: an office or a school behind one
    /// address fits in, while a hundred addresses are needed to fill a node.
    public var socketsPerAddress: Int?
    /// Those of them that have joined no namespace yet; nil: any number. Default 250: official clients join within a round
    /// trip, so that more at once are hardly people.
    public var unjoinedPerAddress: Int?
    /// Handshakes of one client address; nil: any number. Default 100/s with a burst of 1,000, so that everybody behind one
    /// address may come back at once.
    public var handshakes: Rate?
    /// Requests of one client address that reach actions over HTTP; nil: any number. Default 200/s with a burst of 1,000.
    public var actionsPerAddress: Rate?
    /// Client addresses that are kept count of; where there are more, who comes last is not counted. Default 100,000.
    public var trackedAddresses: Int

    // MARK: Per socket

    /// Application events; nil: any number. Default 1,000/s with a burst of 4,000, for what a client has kept while it was
    /// off line. Beyond it the client is not read for a while.
    public var events: Rate?
    /// `action` events; beyond it 429. Default 50/s with a burst of 200.
    public var actions: Rate?
    /// `link` events; beyond it BUSY. Default 5/s with a burst of 20.
    public var links: Rate?
    /// `peer` events; beyond it BUSY. Default 100/s with a burst of 400.
    public var peers: Rate?
    /// `link` requests of one socket that are decided or opened at once; beyond it BUSY. Default 20.
    public var pendingLinks: Int
    /// Seconds between a `link` request and its answer; then TIMEOUT. Default 10 (SPEC LK-4).
    public var linkTimeout: Double
    /// Links of one user and its devices; beyond it BUSY. Default 256 (SPEC LC-1).
    public var linksPerUser: Int
    /// Connections of a party that take part in a Link, the oldest. Default 32 (SPEC LK-8).
    public var linkMembers: Int
    /// Bytes of a request's query, and of what the `peerRequest` hook gives as `info`; beyond it INVALID. Default 16,384.
    public var maximumQuery: Int
    /// Bytes of a session description in a `peer` event; beyond it INVALID. Default 204,800 (SPEC LK-9).
    public var maximumDescription: Int
    /// Bytes of an ICE candidate; beyond it INVALID. Default 8,192.
    public var maximumCandidate: Int
    /// `peer` events of one socket that wait until their Link is read; beyond it BUSY. Default 400, so that a burst within the
    /// rate fits in.
    public var waitingSignals: Int
    /// Bytes of them; beyond it BUSY as well. Default 4 MiB.
    public var waitingSignalBytes: Int
    /// Actions of one socket that run at once; the next ones wait for their turn. Default 16.
    public var runningActions: Int
    /// Actions of one socket that wait; beyond it 429. Default 256, so that a burst within the rate fits in.
    public var waitingActions: Int
    /// Bytes of them; beyond it 429 as well. Default 4 MiB.
    public var waitingActionBytes: Int
    /// Bytes of the reply to an action; beyond it 500. Default 1,000,000.
    public var maximumReply: Int
    /// Answers that are streamed to one socket at once; beyond it 429. Default 4: each may have 512 KiB under way, and
    /// together they are not to fill ``LiveOptions/maximumUnsent``.
    public var streamsPerSocket: Int
    /// How long the client of a stream may acknowledge nothing of what it was sent. Default 30.
    public var streamStall: Double

    public init() {
        self.init(mode: .production)
    }

    init(mode: Configuration.Mode) {
        self.maximumTarget = 8_192
        self.maximumHead = 16_384
        self.maximumHeadFields = 100
        self.firstByteTimeout = 10
        self.bodyTimeout = 30
        self.actionBodyTimeout = 10
        self.idleTimeout = 60
        self.answerStallTimeout = 60
        self.maximumPackets = 16_384
        self.maximumAttachments = 10
        self.maximumPacket = nil
        self.attachmentTimeout = nil
        self.maximumNamespaceName = 256
        self.namespacesPerSession = 32
        self.maximumEventName = 128
        self.maximumDepth = JSONScanner.depthLimit
        self.maximumAuth = 16_384
        self.pendingAcks = 1_024
        self.roomsPerSocket = 1_024
        self.maximumRoomName = 256
        let countsAddresses = mode == .production
        self.socketsPerAddress = countsAddresses ? 1_000 : nil
        self.unjoinedPerAddress = countsAddresses ? 250 : nil
        self.handshakes = countsAddresses ? Rate(perSecond: 100, burst: 1_000) : nil
        self.actionsPerAddress = countsAddresses ? Rate(perSecond: 200, burst: 1_000) : nil
        self.trackedAddresses = 100_000
        let hasRates = mode != .conformance
        self.events = hasRates ? Rate(perSecond: 1_000, burst: 4_000) : nil
        self.actions = hasRates ? Rate(perSecond: 50, burst: 200) : nil
        self.links = hasRates ? Rate(perSecond: 5, burst: 20) : nil
        self.peers = hasRates ? Rate(perSecond: 100, burst: 400) : nil
        self.pendingLinks = 20
        self.linkTimeout = 10
        self.linksPerUser = 256
        self.linkMembers = 32
        self.maximumQuery = 16_384
        self.maximumDescription = 204_800
        self.maximumCandidate = 8_192
        self.waitingSignals = 400
        self.waitingSignalBytes = 4 << 20
        self.runningActions = 16
        self.waitingActions = 256
        self.waitingActionBytes = 4 << 20
        self.maximumReply = 1_000_000
        self.streamsPerSocket = 4
        self.streamStall = 30
    }

    /// What is wrong with the options, in words; nil when nothing is.
    var complaint: String? {
        let times: [(String, Double?)] = [
            ("firstByteTimeout", self.firstByteTimeout), ("bodyTimeout", self.bodyTimeout),
            ("actionBodyTimeout", self.actionBodyTimeout), ("idleTimeout", self.idleTimeout),
            ("attachmentTimeout", self.attachmentTimeout), ("answerStallTimeout", self.answerStallTimeout),
            ("streamStall", self.streamStall), ("linkTimeout", self.linkTimeout),
        ]
        for case (let name, let value?) in times where !(value >= 0.01 && value <= 86_400) {
            return "\(name) must be 10 ms to a day"
        }
        let counts: [(String, Int?, ClosedRange<Int>)] = [
            ("maximumTarget", self.maximumTarget, 64...(1 << 20)), ("maximumHead", self.maximumHead, 256...(1 << 20)),
            ("maximumHeadFields", self.maximumHeadFields, 8...10_000),
            ("maximumPackets", self.maximumPackets, 1...Int.max),
            ("maximumAttachments", self.maximumAttachments, 1...255),
            ("maximumPacket", self.maximumPacket, 1...(1 << 31)),
            ("maximumNamespaceName", self.maximumNamespaceName, 1...(1 << 20)),
            ("namespacesPerSession", self.namespacesPerSession, 1...250),
            ("maximumEventName", self.maximumEventName, 1...(1 << 20)),
            ("maximumDepth", self.maximumDepth, 1...JSONScanner.depthLimit),
            ("maximumAuth", self.maximumAuth, 1...(1 << 30)), ("pendingAcks", self.pendingAcks, 1...Int.max),
            ("roomsPerSocket", self.roomsPerSocket, 1...Int.max),
            ("maximumRoomName", self.maximumRoomName, 1...(1 << 20)),
            ("socketsPerAddress", self.socketsPerAddress, 1...Int(Int32.max)),
            ("unjoinedPerAddress", self.unjoinedPerAddress, 1...Int(Int32.max)),
            ("trackedAddresses", self.trackedAddresses, 1...10_000_000),
            ("runningActions", self.runningActions, 1...10_000),
            ("waitingActions", self.waitingActions, 0...1_000_000),
            ("waitingActionBytes", self.waitingActionBytes, 0...(1 << 30)),
            ("maximumReply", self.maximumReply, 256...(1 << 30)),
            ("streamsPerSocket", self.streamsPerSocket, 0...1_000),
            ("pendingLinks", self.pendingLinks, 1...10_000), ("linksPerUser", self.linksPerUser, 1...10_000),
            ("linkMembers", self.linkMembers, 1...256), ("maximumQuery", self.maximumQuery, 2...32_768),
            ("maximumDescription", self.maximumDescription, 1...(1 << 19)),
            ("maximumCandidate", self.maximumCandidate, 4...(1 << 18)),
            ("waitingSignals", self.waitingSignals, 1...1_000_000),
            ("waitingSignalBytes", self.waitingSignalBytes, 1...(1 << 30)),
        ]
        for case (let name, let value?, let range) in counts where !range.contains(value) {
            return range.upperBound == .max
                ? "\(name) must be at least \(range.lowerBound)"
                : "\(name) must be \(range.lowerBound) to \(range.upperBound)"
        }
        let rates = [
            ("handshakes", self.handshakes), ("events", self.events), ("actions", self.actions), ("links", self.links),
            ("peers", self.peers), ("actionsPerAddress", self.actionsPerAddress),
        ]
        for case (let name, let rate?) in rates {
            guard (1...Rate.fastest).contains(rate.perSecond) else {
                return "\(name).perSecond must be 1 to \(Rate.fastest)"
            }
            guard (1...Rate.largest).contains(rate.burst) else { return "\(name).burst must be 1 to \(Rate.largest)" }
        }
        return nil
    }
}

extension LimitOptions.Rate {
    /// The attempts at ten times the rate are counted in a bucket as well.
    fileprivate static let fastest = TokenBucket.Rate.fastest / SocketRates.excess
    fileprivate static let largest = TokenBucket.Rate.largest - TokenBucket.Rate.fastest
}

/// The limits in the form that the machines below take them.
extension LimitOptions {
    var head: UpgradeRequest.Limits {
        var limits = UpgradeRequest.Limits()
        limits.headerBytes = self.maximumHead
        limits.fieldCount = self.maximumHeadFields
        limits.targetBytes = self.maximumTarget
        return limits
    }

    var ofLinks: LinkService.Limits {
        LinkService.Limits(
            members: self.linkMembers, label: self.maximumQuery,
            signal: PeerPacket.Limits(description: self.maximumDescription, candidate: self.maximumCandidate),
            pendingRequests: self.pendingLinks, waitingSignals: self.waitingSignals,
            waitingSignalBytes: self.waitingSignalBytes,
            requestTimeout: .milliseconds(Int64(self.linkTimeout * 1_000)))
    }

    var addresses: AddressLedger.Limits {
        AddressLedger.Limits(
            sessions: self.socketsPerAddress, unjoined: self.unjoinedPerAddress,
            handshakes: self.handshakes.map { TokenBucket.Rate(perSecond: $0.perSecond, burst: $0.burst) },
            capacity: self.trackedAddresses)
    }

    /// nil where none is set.
    var actionRate: AddressLedger.Limits? {
        self.actionsPerAddress.map {
            AddressLedger.Limits(
                handshakes: TokenBucket.Rate(perSecond: $0.perSecond, burst: $0.burst), capacity: self.trackedAddresses)
        }
    }

    /// nil where no rate is set: then sending costs nothing more.
    var rates: SocketRates.Limits? {
        func refusable(_ rate: Rate?) -> SocketRates.Refusable? {
            rate.map { SocketRates.Refusable(perSecond: $0.perSecond, burst: $0.burst) }
        }
        let limits = SocketRates.Limits(
            event: self.events.map { TokenBucket.Rate(perSecond: $0.perSecond, burst: $0.burst) },
            action: refusable(self.actions), link: refusable(self.links), peer: refusable(self.peers))
        return limits.isEmpty ? nil : limits
    }

    /// - Parameter answers: whether actions are answered.
    func sockets(engine: EngineOptions, connectTimeout: Double, answers: Bool = false) -> SocketOptions {
        var options = SocketOptions(
            engine: engine, connectTimeout: .milliseconds(Int64(connectTimeout * 1000)))
        options.maxNamespaces = self.namespacesPerSession
        options.maxAuthBytes = self.maximumAuth
        options.maxNamespaceBytes = self.maximumNamespaceName
        options.maxEventNameBytes = self.maximumEventName
        options.maxAttachments = self.maximumAttachments
        options.maxDepth = self.maximumDepth
        options.answersMalformedActions = answers
        if let maximum = self.maximumPacket { options.maxPacketBytes = maximum }
        if let seconds = self.attachmentTimeout {
            options.attachmentTimeout = .milliseconds(Int64(seconds * 1000))
        }
        return options
    }
}
