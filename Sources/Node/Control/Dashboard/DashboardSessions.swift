import Crypto
import Metrics
import NIOCore
import Synchronization

/// The sessions of the dashboard on this node. They are lost with the process: whoever was signed in does so again.
final class DashboardSessions: Sendable {
    private let table: Mutex<DashboardSessionTable>
    private let gauge = Gauge(label: "submergence_dashboard_sessions")

    init(limits: DashboardSessionTable.Limits = .init()) {
        self.table = Mutex(DashboardSessionTable(limits: limits))
    }

    /// - Returns: the secret for the cookie.
    func open(_ key: ControlKey) -> String {
        let secret = Self.random()
        let count = self.table.withLock { table in
            _ = table.open(key, hash: Self.hash(secret), label: Self.random(), csrf: Self.random(), at: .now())
            return table.count
        }
        self.gauge.record(count)
        return secret
    }

    func session(of secret: String) -> DashboardSession? {
        self.table.withLock { $0.session(Self.hash(secret), at: .now()) }
    }

    func isAlive(_ label: String) -> Bool { self.table.withLock { $0.keep(label, at: .now()) } }

    func close(_ secret: String) {
        let count = self.table.withLock { table in
            _ = table.close(Self.hash(secret))
            return table.count
        }
        self.gauge.record(count)
    }

    private static func hash(_ secret: String) -> [UInt8] { Array(SHA256.hash(data: Array(secret.utf8))) }

    /// 256 bits.
    private static func random() -> String {
        var generator = SystemRandomNumberGenerator()
        return Base64URLText.encode((0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
    }
}
