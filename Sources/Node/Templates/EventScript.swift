internal import NIOCore

/// An answer's events within a page: JSON in an element that no browser runs (SPEC AC-9).
struct EventScript {
    static let id = "submergence-events"

    /// An array of events that can stand in any script element: none of its characters ends one.
    let json: String
    let element: String

    init(_ events: [JSONValue], nonce: String) {
        self.json = Self.escaped(.array(events))
        self.element =
            "<script type=\"application/json\" id=\"\(Self.id)\" nonce=\"\(nonce)\">\(self.json)</script>"
    }

    /// `<`, `>`, `&` and the two line breaks that JSON has and older JavaScript has not: they occur in strings only.
    private static func escaped(_ value: JSONValue) -> String {
        var buffer = ByteBuffer()
        value.write(to: &buffer)
        var text = ""
        for scalar in String(buffer: buffer).unicodeScalars {
            switch scalar {
            case "<": text += "\\u003C"
            case ">": text += "\\u003E"
            case "&": text += "\\u0026"
            case "\u{2028}": text += "\\u2028"
            case "\u{2029}": text += "\\u2029"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text
    }
}
