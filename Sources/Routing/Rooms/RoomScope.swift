/// What rooms belong to: one namespace of one domain. Nothing that is sent to a room leaves it (SPEC §11.7).
package struct RoomScope: Hashable, Sendable {
    package let domain: String
    /// With its slash; `/` is the main one.
    package let namespace: String

    package init(domain: String, namespace: String) {
        self.domain = domain
        self.namespace = namespace
    }

    /// Only sockets of the main namespace can be recovered.
    var isRecoverable: Bool { self.namespace == "/" }
}
