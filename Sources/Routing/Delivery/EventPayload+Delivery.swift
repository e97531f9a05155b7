package import Wire

extension NodeID {
    /// How this node's sends are told apart in a ``RecoveryPosition``: 48 of its random bits.
    package func stream(_ kind: RecoveryStream.Kind) -> RecoveryStream {
        RecoveryStream(sender: self.leading48, kind: kind)
    }
}

extension ConnectionIndex.Delivery {
    /// What a message of the bus asks for.
    /// - Returns: nil for a payload that names no socket where it should.
    package init?(_ payload: EventPayload, to key: RouteKey, from sender: NodeID, tally: WrittenTally? = nil) {
        var socket: SocketID?
        if let text = payload.socket {
            guard let found = SocketID(text) else { return nil }
            socket = found
        }
        self.init(
            key: key, client: payload.client, socket: socket,
            packet: OutboundPacket(text: payload.packet, attachments: payload.attachments),
            mark: payload.number.map { RecoveryMark(stream: sender.stream(.identity), number: $0) }, mode: payload.mode,
            tally: tally)
    }
}
