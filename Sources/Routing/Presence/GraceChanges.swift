/// What one step did to the graces of a route (SPEC LC-8): for the node that keeps its deadlines, and for metrics.
package struct GraceChanges: Sendable, Equatable {
    /// Clients whose last connection left with a grace.
    package var started = 0
    /// Clients that came back in time, so that nothing was announced.
    package var returned = 0
    /// Clients announced offline as their time was up.
    package var expired = 0
    /// Clients announced offline before it was: by a kick or logout, by a removal without grace, or as the oldest of too many.
    package var cut = 0
    /// The step finished what was overdue, in place of the node that stored it.
    package var isOverdue = false
    /// The step removed a connection with grace: the node that commits it is the one to finish the job. Also where an earlier
    /// attempt, of unknown outcome, had stored the deadline.
    package var isKept = false

    package init() {}
}
