/// Works on threads of its own, and need not be woken for every single thing that is handed in: an event loop hands in all
/// that a tick brings and wakes it once, so that it becomes one round.
package protocol Wakeable: AnyObject, Sendable {
    /// Sets to work on what was handed in without a wake. From any thread; may be repeated.
    func wake()
}
