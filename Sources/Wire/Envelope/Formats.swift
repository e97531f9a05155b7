/// Which forms of envelopes and stored documents a version of this program reads and writes (SPEC ND-6, ND-12).
///
/// A new form takes two versions: one that reads it, and the next, which writes it. So whatever a version writes, the version
/// before it reads: nodes of both run side by side, and the older one may come back at any time, without any node knowing
/// of the others (docs/adr/0023-two-versions-at-once.md).
package struct Formats: Sendable, Equatable {
    /// Of this version. `newest` is raised first, `written` in a later version; never by more than one at a time.
    package static let current = Formats(newest: 1, written: 1)

    /// Everything from here on is read, whatever lies in the database since.
    package static let oldest = 1
    /// Newest form that is read.
    package let newest: Int
    /// The form that is written.
    package let written: Int

    /// - Parameters: 1 to 254, `written` at most `newest`.
    package init(newest: Int, written: Int) {
        precondition(newest < 255 && (Self.oldest...newest).contains(written), "a version reads what it writes")
        self.newest = newest
        self.written = written
    }

    package func reads(_ format: Int) -> Bool { (Self.oldest...self.newest).contains(format) }

    /// What is wrong with a form that is not read, and what to do about it.
    package func refusal(of format: Int64) -> String {
        format > Int64(self.newest)
            ? "UNKNOWN_FORMAT \(format): of a newer version; this one reads \(Self.oldest) to \(self.newest). "
                + "Upgrade this node first, then restart node by node, no version left out"
            : "UNKNOWN_FORMAT \(format): no version has written it; this one reads \(Self.oldest) to \(self.newest)"
    }

    /// Whether nodes that read and write so may run side by side.
    package func interoperate(reads newest: Int, writes written: Int) -> Bool {
        self.written <= newest && self.reads(written)
    }
}
