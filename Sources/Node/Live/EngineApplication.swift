/// What runs on an engine path.
enum EngineApplication: Sendable {
    /// Socket.IO: the product.
    case socketIO
    /// Every message comes back: the bare Engine.IO of the official suite (SOCKETIO §16).
    case echo
    /// Every WebSocket message comes back, without Engine.IO: what a WebSocket suite tests. Conformance mode only.
    case bareEcho
}
