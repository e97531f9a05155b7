import NIOCore
import NIOPosix

/// Reads a node's counters over its control listener: what the node says of the slow readers it closed, for one.
struct MetricsProbe {
    enum Failure: Error, CustomStringConvertible {
        case noAnswer(String)

        var description: String {
            switch self {
            case .noAnswer(let url): "\(url) does not answer with metrics"
            }
        }
    }

    /// Bytes of the page.
    private static let limit = 16 << 20
    private static let prefixes = ["submergence_live_", "submergence_engine_"]

    let target: LoadTarget
    let group: MultiThreadedEventLoopGroup

    /// - Returns: counters of connections by series, labels included.
    func counters() async throws -> [String: Double] {
        let page: String
        do {
            page = try await self.fetch()
        } catch {
            throw Failure.noAnswer(self.target.url)
        }
        guard page.hasPrefix("HTTP/1.1 200") else { throw Failure.noAnswer(self.target.url) }
        return Self.counters(in: page)
    }

    private func fetch() async throws -> String {
        let channel = try await ClientBootstrap(group: self.group).connectTimeout(.seconds(5))
            .connect(to: self.target.address) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            try await outbound.write(
                ByteBuffer(
                    string: "GET \(self.target.requestTarget) HTTP/1.1\r\nHost: \(self.target.authority)\r\n"
                        + "Connection: close\r\n\r\n"))
            var page = ByteBuffer()
            for try await part in inbound {
                page.writeImmutableBuffer(part)
                if page.readableBytes > Self.limit { break }
            }
            return String(buffer: page)
        }
    }

    /// - Parameter page: in Prometheus' text form; lines of other kinds are passed over.
    static func counters(in page: String) -> [String: Double] {
        var counters: [String: Double] = [:]
        for line in page.split(whereSeparator: \.isNewline) where self.prefixes.contains(where: { line.hasPrefix($0) })
        {
            guard let space = line.lastIndex(of: " "), let value = Double(line[line.index(after: space)...]) else {
                continue
            }
            let series = line[..<space]
            if series.prefix(while: { $0 != "{" }).hasSuffix("_total") { counters[String(series)] = value }
        }
        return counters
    }

    /// Counters that grew.
    static func growth(from before: [String: Double], to after: [String: Double]) -> [String: Double] {
        after.reduce(into: [:]) { growth, counter in
            let difference = counter.value - (before[counter.key] ?? 0)
            if difference > 0 { growth[counter.key] = difference }
        }
    }
}
