extension RouteCommitMachine {
    /// What a round brought; pass it on *before* ``release(_:)``, so that the order per key is kept.
    package struct Settlement: Sendable {
        package var results: [(id: OperationID, result: Result<RouteOutcome, RouteError>)] = []
        /// Documents as this node committed them: their outbox tells what is to be emitted.
        package var commits: [RouteDocument] = []
        /// What commits announced that nobody waits for (``RouteMachine/isHeard``).
        package var unheard: [RouteTransition] = []
        /// Connections that gave way in a write of unknown outcome, or for a connect that was given up since: no result
        /// names them, as the next attempt may find them gone. Their nodes must be told too (LC-6).
        package var superseded: [(key: RouteKey, connection: RouteDocument.Connection)] = []
        /// What commits did to graces, and the deadline that is next now (LC-8).
        package var graces: [(key: RouteKey, due: Int64?, changes: GraceChanges)] = []
        /// Routes with Links that somebody joined or left, and what is to be closed (LK-11 to LK-13).
        package var links: [(document: RouteDocument, changes: LinkChanges)] = []
    }
}
