import Logging
import Metrics
import NIOCore
import Routing
import Wire

/// What crashes and lost messages leave (SPEC LK-5, ND-9).
extension LinkBroker {
    /// How old a Link must be that is still being opened, in milliseconds.
    static let abandonedAfter: Int64 = 10_000
    private static let page = 100

    /// Closes Links whose opening nobody has finished: all nodes together about once in five seconds. Works until cancelled.
    func run() async {
        while !Task.isCancelled {
            let nodes = self.around.membership.snapshot.records.values.count { $0.state < .claimed }
            let pause = Double.random(in: 2.5...7.5) * Double(max(nodes, 1))
            do { try await Task.sleep(for: .seconds(pause)) } catch { return }
            guard self.around.membership.standing.mayWriteRoutes else { continue }
            await self.sweep()
        }
    }

    func sweep() async {
        let found: [LinkRecord]
        do throws(StoreError) {
            found = try await self.service.store.opening(
                before: self.around.membership.clusterTime - Self.abandonedAfter, limit: Self.page)
        } catch {
            return self.failed(error)
        }
        for record in found {
            if case .success(true) = await self.close(record.key, .abandoned(record), reason: .offline) {
                self.metrics.swept.increment()
            }
        }
    }

    /// Messages about Links may have been lost: what this node knows of them goes, and its connections are told anew.
    func repeatRosters(over time: TimeAmount) {
        self.cache.removeAll()
        self.around.index.onEveryLoop { table in
            for connection in table.allConnections {
                guard let connection = connection as? LiveConnection, connection.speaksProduct,
                    let key = connection.identity?.key
                else { continue }
                let socket = connection.socket
                connection.loop.eventLoop.assumeIsolated().scheduleTask(
                    in: .nanoseconds(Int64.random(in: 0...time.nanoseconds))
                ) { self.rejoin(key, socket) }
            }
        }
    }
}
