/// A compare-and-set on the lease of a lane, from what was read.
package enum PostingLaneChange: Sendable, Equatable {
    /// Hold it, from a holder that is dead or none.
    case take(PostingLaneRecord)
    /// Ask its holder for it.
    case ask(PostingLaneRecord)
    /// Let it go: nothing of it is under way here.
    case give(PostingLaneRecord)
}
