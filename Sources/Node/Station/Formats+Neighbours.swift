import Routing
import Wire

extension Formats {
    /// Refuses to start beside nodes that could not read what this one writes, or the other way round (SPEC ND-12).
    func checkNeighbours(_ reading: DirectoryReading) throws(StartError) {
        let remedy =
            "Neighbouring versions run side by side, others do not: restart node by node, with the version between them "
            + "first. See docs/upgrades.md."
        if let reason = reading.foreign.first {
            throw StartError("cannot join the cluster", why: reason, remedy: remedy)
        }
        for other in reading.records where other.state < .claimed {
            guard !self.interoperate(reads: other.newestFormat, writes: other.format) else { continue }
            throw StartError(
                "cannot join the cluster",
                why: """
                    UNKNOWN_FORMAT: node \(other.name ?? other.id.text) writes \(other.format) and reads up to \
                    \(other.newestFormat), this one writes \(self.written) and reads up to \(self.newest)
                    """,
                remedy: remedy)
        }
    }
}
