internal import Foundation
internal import Logging
internal import Metrics
internal import NIOCore
internal import Synchronization
internal import Wire

/// Which servers a user's browser is told of, with credentials of its own (SPEC LK-18); reads a secret that is in a file again
/// from time to time, so that it can be rotated while nodes run.
final class ICEServers: Sendable {
    /// One answer: the members that `ready` and `ice` share.
    struct Grant: Sendable {
        /// `"iceServers":[…],"iceExpires":n`, the time in milliseconds since 1970; 0: it does not end.
        let members: ByteBuffer
    }

    let metrics = ICEMetrics()
    private let options: ICEOptions
    private let refresh: Duration
    private let secret: Mutex<[UInt8]?>
    /// The last complaint: the same one is not logged every time.
    private let complaint = Mutex<TurnSecret.Unusable?>(nil)
    private let now: @Sendable () -> Int64
    private let sleep: @Sendable (Duration) async throws -> Void
    private let logger: Logger

    /// - Parameters:
    ///   - refresh: seconds between readings of the file; 0: it is read once.
    ///   - now: server time, milliseconds since 1970.
    /// - Throws: ``StartError``.
    init(
        _ options: ICEOptions, refresh: Double, now: @escaping @Sendable () -> Int64,
        sleep: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }, logger: Logger
    ) throws {
        self.options = options
        self.refresh = .seconds(refresh)
        self.now = now
        self.sleep = sleep
        self.logger = logger
        self.secret = Mutex(try options.readSecret())
    }

    func grant(domain: String, user: String) -> Grant {
        var members = ByteBuffer()
        members.writeString("\"iceServers\":[")
        if !self.options.servers.isEmpty { Self.write(self.options.servers, nil, to: &members) }
        var end: Int64 = 0
        if !self.options.turnURLs.isEmpty, let secret = self.secret.withLock(\.self) {
            // The relay counts in whole seconds.
            let expires = (self.now() + Int64(self.options.turnLifetime * 1_000)) / 1_000
            let credentials = TurnCredentials(domain: domain, user: user, expires: expires, secret: secret)
            if !self.options.servers.isEmpty { members.writeString(",") }
            Self.write(self.options.turnURLs, credentials, to: &members)
            end = expires * 1_000
            self.metrics.credentials.increment()
        }
        members.writeString("],\"iceExpires\":\(end)")
        return Grant(members: members)
    }

    private static func write(_ urls: [String], _ credentials: TurnCredentials?, to members: inout ByteBuffer) {
        members.writeString("{\"urls\":[")
        for (index, url) in urls.enumerated() {
            if index > 0 { members.writeString(",") }
            members.writeJSONString(url)
        }
        members.writeString("]")
        if let credentials {
            members.writeString(",\"username\":")
            members.writeJSONString(credentials.username)
            members.writeString(",\"credential\":")
            members.writeJSONString(credentials.credential)
        }
        members.writeString("}")
    }

    // MARK: Rotation

    /// Reads the file again; what cannot be used changes nothing.
    func reload() throws(TurnSecret.Unusable) {
        let secret: [UInt8]?
        do {
            secret = try TurnSecret.load(self.options.turnSecret)
        } catch {
            self.metrics.failedReads.increment()
            throw error
        }
        self.complaint.withLock { $0 = nil }
        let isNew = self.secret.withLock { current in
            defer { current = secret }
            return current != secret
        }
        if isNew { self.logger.notice("the secret of the relays has changed") }
    }

    /// Until the task is cancelled.
    func run() async {
        guard case .file = self.options.turnSecret, self.refresh > .zero else { return }
        while !Task.isCancelled {
            do { try await self.sleep(self.refresh) } catch { return }
            do throws(TurnSecret.Unusable) {
                try self.reload()
            } catch {
                let isNew = self.complaint.withLock { complaint in
                    defer { complaint = error }
                    return complaint != error
                }
                if isNew {
                    self.logger.error("the secret of the relays is not read again", metadata: ["error": "\(error)"])
                }
            }
        }
    }
}
