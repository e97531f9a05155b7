import Foundation
import NIOCore
import Routing
import Testing
import Wire

@testable import Node

/// The table of limits in docs/operations.md says what the code does: every option with its default, and every name that the
/// metric has, both ways.
@Suite struct LimitTableTests {
    private struct Row {
        let title: String
        let defaultText: String
        /// nil for what is fixed.
        let option: String?
        let metrics: [String]
    }

    /// What ``LiveOptions`` has besides limits.
    private static let noLimits: Set<String> = [
        "pingInterval", "pingTimeout", "drainSpread", "maxDrain", "recoveryWindow", "presenceGrace", "movingGrace",
        "linkGrace",
        "allowForeignSockets", "liveRequires", "limits", "transport",
    ]

    private static func rows() throws -> [Row] {
        let page = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../../../docs/operations.md").standardized
        let lines = try String(contentsOf: page, encoding: .utf8).split(
            separator: "\n", omittingEmptySubsequences: false)
        let header = try #require(lines.firstIndex { $0.hasPrefix("| limit | default | option |") })
        return try lines[(header + 2)...].prefix { $0.hasPrefix("|") }.map { line in
            let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            try #require(cells.count == 5, "\(line)")
            let option = cells[2] == "fixed" ? nil : cells[2].trimmingCharacters(in: .init(charactersIn: "`"))
            let metrics = cells[4] == "none" ? [] : cells[4].matches(of: /`([^`]+)`/).map { String($0.1) }
            return Row(title: cells[0], defaultText: cells[1], option: option, metrics: metrics)
        }
    }

    /// The options by name, as the page names them.
    private static func options() -> [String: Any] {
        var found: [String: Any] = [:]
        for child in Mirror(reflecting: LiveOptions()).children {
            guard let label = child.label, !self.noLimits.contains(label) else { continue }
            found[label] = child.value
        }
        for child in Mirror(reflecting: LimitOptions()).children {
            if let label = child.label { found["limits.\(label)"] = child.value }
        }
        for child in Mirror(reflecting: TransportOptions()).children where child.value is Int || child.value is Double {
            if let label = child.label { found["transport.\(label)"] = child.value }
        }
        let action = ActionOptions()
        found["action.maxBodyLength"] = action.maxBodyLength
        found["action.bufferFiles"] = action.bufferFiles
        for child in Mirror(reflecting: action.multipart).children {
            if let label = child.label { found["action.multipart.\(label)"] = child.value }
        }
        return found
    }

    /// The numbers of a cell: `4 MiB`, `1,000/s, burst 4,000`.
    private static func numbers(_ text: String) -> [Double] {
        text.matches(of: /([0-9][0-9,]*)( MiB)?/).compactMap { match in
            let digits = match.1.filter { $0 != "," }
            return Double(digits).map { match.2 == nil ? $0 : $0 * 1_048_576 }
        }
    }

    @Test("Every option of the code is a row of the page with its default, and every row is an option")
    func optionsAndDefaults() throws {
        let rows = try Self.rows()
        let options = Self.options()
        let named = rows.compactMap(\.option)
        #expect(Set(named).count == named.count, "an option is named twice")
        #expect(Set(named) == Set(options.keys))
        for row in rows {
            guard let option = row.option, let value = options[option] else { continue }
            let numbers = Self.numbers(row.defaultText)
            switch value {
            case let value as Int: #expect(numbers == [Double(value)], "\(option)")
            case let value as Double: #expect(numbers == [value], "\(option)")
            case let value as LimitOptions.Rate:
                #expect(numbers == [Double(value.perSecond), Double(value.burst)], "\(option)")
            default:
                #expect(Mirror(reflecting: value).children.isEmpty, "\(option): nil is said in words")
                #expect(numbers.isEmpty, "\(option)")
            }
        }
    }

    @Test("Every name of the metric is in the page, and the page has no other")
    func metricNames() throws {
        let names = try Self.rows().flatMap(\.metrics).filter { !$0.hasPrefix("submergence_") }
        #expect(Set(names) == Set(Limit.allCases.map(\.rawValue)))
    }

    @Test("Every refusal of a packet is a limit, or is none for a reason")
    func faults() {
        let limits = SocketPacketError.allCases.compactMap(Limit.init)
        #expect(
            Set(limits) == [.attachments, .namespaceName, .ackID, .depth, .eventName, .packetBytes])
        #expect(Limit(ConnectRefusal.tooManyNamespaces) == .namespaces)
        #expect(Limit(ConnectRefusal.authTooLarge) == .auth)
        #expect(Limit(ConnectRefusal.invalidNamespace) == nil)
    }

    @Test("Per client address 429 with Retry-After, everywhere")
    func refusalsPerAddress() {
        for refusal in [TransportRefusal.tooManyHandshakes, .tooManySockets, .tooManyUnjoined] {
            #expect(refusal.code == 429)
            #expect(refusal.retryAfter != nil)
            #expect(refusal.limit != nil)
        }
    }

    @Test("Development has no limit per address, conformance no rate and none per user either")
    func modes() {
        let development = LiveOptions(mode: .development)
        #expect(development.limits.addresses.isEmpty)
        #expect(development.limits.rates != nil)
        let conformance = LiveOptions(mode: .conformance)
        #expect(conformance.limits.addresses.isEmpty)
        #expect(conformance.limits.rates == nil)
        #expect(conformance.connectionsPerUser == .max && conformance.connectionsPerClient == .max)
        #expect(!LiveOptions().limits.addresses.isEmpty)
    }

    @Test("What cannot work is refused by name, and everything else starts")
    func complaints() {
        #expect(LiveOptions().complaint == nil)
        func complaint(_ change: (inout LimitOptions) -> Void) -> String? {
            var options = LimitOptions()
            change(&options)
            return options.complaint
        }
        #expect(complaint { $0.maximumDepth = 65 }?.hasPrefix("maximumDepth") == true)
        #expect(complaint { $0.maximumDepth = 0 }?.hasPrefix("maximumDepth") == true)
        #expect(complaint { $0.bodyTimeout = 0 }?.hasPrefix("bodyTimeout") == true)
        #expect(complaint { $0.attachmentTimeout = .nan }?.hasPrefix("attachmentTimeout") == true)
        #expect(complaint { $0.socketsPerAddress = 0 }?.hasPrefix("socketsPerAddress") == true)
        #expect(complaint { $0.namespacesPerSession = 251 }?.hasPrefix("namespacesPerSession") == true)
        #expect(complaint { $0.handshakes = .init(perSecond: 0, burst: 1) }?.hasPrefix("handshakes") == true)
        #expect(complaint { $0.events = .init(perSecond: 1, burst: 0) }?.hasPrefix("events.burst") == true)
        // The ends of every range make buckets that hold.
        for rate in [
            LimitOptions.Rate(perSecond: 1, burst: 1), .init(perSecond: 100_000, burst: 9_000_000),
            .init(perSecond: 1, burst: 9_000_000),
        ] {
            var options = LimitOptions()
            (options.events, options.actions, options.links, options.peers) = (rate, rate, rate, rate)
            options.handshakes = rate
            #expect(options.complaint == nil)
            #expect(options.rates != nil)
            #expect(!options.addresses.isEmpty)
        }
        #expect(
            complaint {
                $0.socketsPerAddress = nil
                $0.events = nil
                $0.maximumPacket = nil
            } == nil)
    }

    @Test("Options reach the machines")
    func conversions() {
        var options = LiveOptions()
        options.limits.maximumPackets = 1
        options.transport.maximumFragments = 2
        options.limits.maximumAttachments = 3
        options.limits.maximumPacket = 4
        options.limits.attachmentTimeout = 5
        options.limits.maximumNamespaceName = 6
        options.limits.namespacesPerSession = 7
        options.limits.maximumEventName = 8
        options.limits.maximumDepth = 9
        options.limits.maximumAuth = 10
        #expect(options.engine.maxPacketsPerPayload == 1)
        #expect(options.engine.maxFragments == 2)
        let sockets = options.limits.sockets(engine: options.engine, connectTimeout: 11)
        #expect(
            sockets
                == SocketOptions(
                    connectTimeout: .seconds(11), maxNamespaces: 7, maxAuthBytes: 10, maxNamespaceBytes: 6,
                    maxEventNameBytes: 8, maxAttachments: 3, maxPacketBytes: 4, attachmentTimeout: .seconds(5),
                    maxDepth: 9))
        let head = LimitOptions().head
        #expect((head.targetBytes, head.headerBytes, head.fieldCount) == (8_192, 16_384, 100))
    }
}
