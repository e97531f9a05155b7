/// A literal path of actions as a template of OpenAPI: `/posts/:id` is `/posts/{id}`.
struct OpenAPIPath {
    let template: String
    /// The template without names: by OpenAPI's rules two that differ in these only are the same.
    let shape: String
    /// In their order.
    let names: [String]
    /// Whether the last one takes all that is left, slashes included.
    let hasRest: Bool

    /// - Returns: nil for a regular expression.
    init?(_ path: ActionPath) {
        guard case .segments(let segments, let rest) = path.form else { return nil }
        var (template, shape) = ("", "")
        var names: [String] = []
        for segment in segments {
            switch segment {
            case .literal(let text):
                template += "/" + Self.encode(text)
                shape += "/" + Self.encode(text)
            case .parameter(let name):
                template += "/{\(name)}"
                shape += "/{}"
                names.append(name)
            }
        }
        if let rest {
            template += "/{\(rest)}"
            shape += "/{}"
            names.append(rest)
        }
        (self.template, self.shape, self.names, self.hasRest) = (template, shape, names, rest != nil)
    }

    private static func encode(_ text: String) -> String {
        let plain = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$&'()*+,;=:@".utf8)
        return text.utf8.reduce(into: "") { result, byte in
            if plain.contains(byte) {
                result.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                let digits = String(byte, radix: 16, uppercase: true)
                result += "%" + (digits.count == 1 ? "0" : "") + digits
            }
        }
    }
}
