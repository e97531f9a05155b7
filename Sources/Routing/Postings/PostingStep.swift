/// Something that ``PostingMachine`` wants done; each has an answer, `failed` included.
package enum PostingStep: Sendable, Equatable {
    case readLanes
    case changeLanes([PostingLaneChange])
    /// New postings of these lanes, except those of some users.
    case readNew(lanes: [Int], limit: Int, except: [String])
    /// Postings of these lanes that have a number and are not done.
    /// - Parameter adopting: the generation of the one lane that was just taken over; nil for a look at all lanes.
    case readBegun(lanes: [Int], adopting: Int64?)
    case assign([PostingAssignment])
    case send(PostingSend)
    case settle([PostingSettlement])
}
