import NIOCore
import Wire

extension Reply {
    /// The events of a hook's reply as packets: indistinguishable from sent ones (SPEC EV-5).
    /// - Throws: what made the reply unusable.
    func packets() async throws -> [OutboundPacket] {
        self.finish()
        let outcome = try await self.answer.value.get()
        if let failure = outcome.failure { throw StationError.invalidEvent(failure) }
        return try outcome.events.map { try OutboundPacket.event($0) }
    }
}

extension OutboundPacket {
    /// - Parameter event: of a reply: an array of its name and its arguments.
    static func event(_ event: JSONValue) throws -> OutboundPacket {
        guard case .array(let elements) = event, let name = elements.first?.string else {
            throw StationError.invalidEvent("it has no name")
        }
        if EventName.product.contains(name) { throw StationError.reservedName(name) }
        let arguments = elements.dropFirst().map { element in
            var text = ByteBuffer()
            element.write(to: &text)
            return EventArgument.json(text)
        }
        return try OutboundPacket.event(name, arguments)
    }
}
