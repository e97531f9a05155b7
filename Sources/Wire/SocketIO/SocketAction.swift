/// What a received message asks for. Ranges are those of the text that was handed in, which the caller still has.
package enum SocketAction: Equatable {
    /// Nothing to do: attachments are still to come, or the session has ended.
    case none
    /// A client wants to join; its auth is the packet's payload, empty where there is none (then `{}`). Answer with
    /// `accept` or `refuse`, now or later.
    case connect(NamespaceSlot, SocketPacket)
    /// Answer with CONNECT_ERROR for the packet's namespace; the session stays as it was.
    case connectError(SocketPacket, ConnectRefusal)
    /// An event without attachments; an id asks for a reply, at most one.
    case event(NamespaceSlot, SocketPacket)
    /// The reply to an event of ours, without attachments. Ids that nobody waits for are ignored.
    case ack(NamespaceSlot, SocketPacket)
    /// An event or an ack (see its packet's kind) with its attachments.
    case attached(NamespaceSlot, AttachedPacket)
    /// An `action` for `/` whose JSON is malformed or nested too deeply (see `SocketSession.fault`): its answer is 400, and
    /// the session goes on. Only where ``SocketOptions/answersMalformedActions`` is set.
    case malformedAction(ackID: Int64?)
    /// The client left: `clientNamespaceDisconnect`. No reply; the session stays open (SOCKETIO §11.11).
    case left(NamespaceSlot)
    /// End the whole Engine.IO session.
    case close(CloseReason)
}

/// Refusals of CONNECT that the machine decides on; the text is the client's `err.message`.
package enum ConnectRefusal: String, Sendable {
    case invalidNamespace = "Invalid namespace"
    case tooManyNamespaces = "Too many namespaces"
    case authTooLarge = "Auth too large"
}
