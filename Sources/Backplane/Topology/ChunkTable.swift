package import Wire

/// Which shard holds which hashes of one collection: sorted ranges (SPEC ND-14). A stale one costs speed only.
package struct ChunkTable: Sendable, Equatable {
    /// The lower bound of each chunk, ascending; the first reaches down to the smallest hash.
    private var bounds: [Int64]
    /// The shard of each chunk, as a position in the list of shards.
    private var owners: [Int]

    /// Everything on one shard: replica sets, unsharded collections, and the way out when hashes can't be computed.
    package static let single = ChunkTable(bounds: [.min], owners: [0])

    private init(bounds: [Int64], owners: [Int]) {
        self.bounds = bounds
        self.owners = owners
    }

    /// - Parameters:
    ///   - chunks: documents of `config.chunks`, with `min` and `shard`.
    ///   - shards: names, sorted. A shard that is not in it (added since) goes with the last one.
    /// - Returns: nil when the documents are not those of a collection with a hashed key `field`.
    package init?(chunks: [BSONDocument], field: String, shards: [String]) {
        guard !chunks.isEmpty, !shards.isEmpty else { return nil }
        var ranges: [(bound: Int64, owner: Int)] = []
        for chunk in chunks {
            guard let min = chunk["min"]?.document?[field], let shard = chunk["shard"]?.string else { return nil }
            let bound: Int64
            if min.type == .minKey {
                bound = .min
            } else if let value = min.int64 {
                bound = value
            } else {
                return nil
            }
            ranges.append((bound, shards.firstIndex(of: shard) ?? shards.count - 1))
        }
        ranges.sort { $0.bound < $1.bound }
        guard ranges[0].bound == .min else { return nil }
        self.init(bounds: ranges.map(\.bound), owners: ranges.map(\.owner))
    }

    /// The last chunk whose lower bound is not above the hash.
    package func shard(of hash: Int64) -> Int {
        var (low, high) = (0, self.bounds.count)
        while high - low > 1 {
            let middle = (low + high) / 2
            if self.bounds[middle] <= hash { low = middle } else { high = middle }
        }
        return self.owners[low]
    }
}
