/// Where events of recoverable users are kept for a while (SOCKETIO §14.2): bounded, the oldest are overwritten.
///
/// Appends are majority and journaled; no call outlives its deadline (SPEC ND-14).
package protocol RecoveryLog: Sendable {
    /// Where a user's events go from now on, for a route that names no place yet (``RouteDocument/logPlace``). Nodes may
    /// think differently: the route decides, and every place can be written and read by its name.
    func place(of key: RouteKey) -> String

    /// Where broadcasts of a domain go. All nodes must say the same: it rests on the list of places alone.
    func scopePlace(of domain: String) -> String

    /// Every place that this node knows by itself.
    var places: [String] { get }

    /// Adds the entries; holes are there before any event is. Adding an entry again changes nothing.
    ///
    /// Throws when it is not certain that all are there: some may be, or may appear later.
    func append(_ entries: [RecoveryEntry], to place: String) async throws(StoreError)

    /// What a client that comes back has missed, of its user's events at this place and of the broadcasts of its domain at
    /// theirs. Sees every append that was answered before.
    func read(_ query: RecoveryQuery, at place: String) async throws(StoreError) -> RecoveryHistory
}
