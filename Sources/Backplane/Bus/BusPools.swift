import NIOCore

/// The bus's own pools, one pair per URI: a tail may block its connection for as long as its server hangs, and must not
/// take one from the inserts.
struct BusPools {
    private let insertOptions: MongoPoolOptions
    private let tailOptions: MongoPoolOptions
    private var inserters: [String: MongoPool] = [:]
    private var tailers: [String: MongoPool] = [:]

    /// - Parameter lanes: shards that one URI may lead to. Two may be added before anybody has to wait for a connection.
    init(options: BusOptions, lanes: Int) {
        var inserts = MongoPoolOptions(size: (lanes + 2) * options.outbox.insertsInFlight + 2)
        // `_id` makes a repeated insert harmless, and a transaction number would cost the server a second write.
        inserts.retriesWrites = false
        self.insertOptions = inserts
        var tails = MongoPoolOptions(timeout: .seconds(5), size: 8)
        tails.selectionTimeout = .seconds(2)
        self.tailOptions = tails
    }

    mutating func inserts(_ uri: String) throws(BusError) -> MongoPool {
        try Self.pool(uri, &self.inserters, self.insertOptions)
    }

    mutating func tails(_ uri: String) throws(BusError) -> MongoPool {
        try Self.pool(uri, &self.tailers, self.tailOptions)
    }

    private static func pool(
        _ uri: String, _ pools: inout [String: MongoPool], _ options: MongoPoolOptions
    ) throws(BusError) -> MongoPool {
        if let pool = pools[uri] { return pool }
        do throws(MongoError) {
            let pool = try MongoPool(uri: uri, options: options)
            pools[uri] = pool
            return pool
        } catch {
            throw BusError(.refused, "\(error)")
        }
    }
}
