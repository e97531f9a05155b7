/// What a control key may be used for (SPEC RM-1).
package enum ControlScope: String, CaseIterable, Sendable {
    /// Events to people.
    case send
    /// Who is there.
    case presence
    /// Kick and logout.
    case kick
    /// Closing Links.
    case links
    /// New sessions, for any user of the domain: whoever has this can be anybody.
    case sessions
    /// What the node says about itself and the cluster.
    case status
    /// A domain's configuration: whoever has this says where its actions and hooks go.
    case config
    /// What control keys have done.
    case audit
    /// The metrics page, where the control listener is not on loopback.
    case metrics
}
