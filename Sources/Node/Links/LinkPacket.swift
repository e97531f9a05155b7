import NIOCore

/// What a client asks for in a `link` event (SPEC LK-4, LK-14).
package struct LinkPacket: Sendable {
    package enum Request: Sendable {
        case open(query: JSONValue)
        case close(token: String)
    }

    /// Why it is refused, and whom the answer is for as far as that can be told.
    package struct Refusal: Error {
        package let id: MessageID?
        let isTooLarge: Bool
    }

    package let id: MessageID?
    package let request: Request

    /// - Parameters:
    ///   - arguments: those of the event.
    ///   - longestQuery: bytes.
    package init(_ arguments: UnsafeRawBufferPointer, hasAttachments: Bool, longestQuery: Int) throws(Refusal) {
        let object = StrictObject(arguments)
        guard object.isStrict, !hasAttachments else { throw Refusal(id: object.id, isTooLarge: false) }
        self.id = object.id
        switch (object.values["query"], object.values["close"]) {
        case (let query?, nil):
            guard object.sizes["query"] ?? 0 <= longestQuery else { throw Refusal(id: object.id, isTooLarge: true) }
            self.request = .open(query: query)
        case (nil, .string(let token)?): self.request = .close(token: token)
        default: throw Refusal(id: object.id, isTooLarge: false)
        }
    }
}
