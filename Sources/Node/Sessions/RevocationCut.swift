/// How a node says how far it is with a revocation (SPEC ID-13). Each part is told once.
package struct RevocationCut: Sendable {
    private let sockets: @Sendable (Int) -> Void
    private let links: @Sendable () -> Void

    /// - Parameters:
    ///   - sockets: gets how many sockets were cut, when the last one is.
    ///   - links: called when the Links of parties that lost their last connection by it are closed (LK-13).
    package init(sockets: @escaping @Sendable (Int) -> Void, links: @escaping @Sendable () -> Void) {
        self.sockets = sockets
        self.links = links
    }

    /// For whom nobody waits.
    package static let untold = RevocationCut(sockets: { _ in }, links: {})

    package func callAsFunction(_ count: Int) { self.sockets(count) }

    /// There was nothing to do.
    package func nothing() {
        self.sockets(0)
        self.links()
    }

    package func linksClosed() { self.links() }
}
