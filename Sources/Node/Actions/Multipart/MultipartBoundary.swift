/// The boundary that a `Content-Type` names (RFC 2046 §5.1.1).
package struct MultipartBoundary: Sendable, Equatable {
    package let text: String

    /// - Parameter text: 1 to 70 characters of those that RFC 2046 allows, the last no space; else nil.
    package init?(_ text: String) {
        guard (1...70).contains(text.utf8.count), text.utf8.allSatisfy(Self.isAllowed), text.utf8.last != 0x20 else {
            return nil
        }
        self.text = text
    }

    /// - Parameter contentType: the whole value of the field.
    /// - Returns: nil where there is none, more than one, or one that is not allowed.
    package init?(contentType: String) {
        guard let parameters = ParameterList(contentType), let value = parameters.single("boundary") else { return nil }
        self.init(value)
    }

    /// `bchars`, but those that a token may have besides: clients use them unquoted.
    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"):
            true
        default: "'()+_,-./:=? !#$%&*^`{|}~".utf8.contains(byte)
        }
    }
}
