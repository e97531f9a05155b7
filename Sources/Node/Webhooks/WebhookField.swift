/// A header field of a request to a webhook.
struct WebhookField: Sendable, Equatable {
    /// In lower case.
    let name: String
    /// Printable ASCII.
    let value: String

    /// - Parameters:
    ///   - name: behind `x-submergence-`.
    ///   - text: whatever is not printable ASCII, spaces and `%` are percent-encoded as UTF-8.
    init(_ name: String, _ text: String) {
        self.name = "x-submergence-\(name)"
        self.value = text.utf8.reduce(into: "") { value, byte in
            if (0x21...0x7E).contains(byte), byte != UInt8(ascii: "%") {
                value.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                value += "%" + Hexadecimal.text(byte).uppercased()
            }
        }
    }
}
