/// One request of the control API: the action that serves it, and what its users are told of it.
struct ControlEndpoint: Sendable {
    let action: Action
    let scope: ControlScope
    let summary: String

    init(_ scope: ControlScope, _ summary: String, _ action: Action) {
        self.action = action
        self.scope = scope
        self.summary = summary
    }
}
