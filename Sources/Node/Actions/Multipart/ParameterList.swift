/// `value; name=token; name="quoted"`, as `Content-Type` and `Content-Disposition` have it (RFC 9110 §5.6.6, RFC 2183).
struct ParameterList {
    /// In lower case.
    let value: String
    /// Names in lower case.
    private let parameters: [(name: String, value: String)]

    /// - Returns: nil for what does not have that form, or is not UTF-8.
    init?(_ text: some StringProtocol) {
        var rest = Array(text.utf8)[...]
        let value = Self.trimmed(Self.prefix(of: &rest) { $0 != UInt8(ascii: ";") })
        guard let name = String(validating: value, as: UTF8.self), !name.isEmpty else { return nil }
        self.value = name.lowercased()
        var parameters: [(name: String, value: String)] = []
        while rest.popFirst() != nil {
            _ = Self.prefix(of: &rest) { $0 == 0x20 || $0 == 0x09 }
            // A semicolon at the end is harmless.
            if rest.isEmpty || rest.first == UInt8(ascii: ";") { continue }
            let name = Self.prefix(of: &rest) { $0 != UInt8(ascii: "=") && $0 != UInt8(ascii: ";") }
            guard !name.isEmpty, name.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x22 }), rest.popFirst() == 0x3D,
                let bytes = Self.parameterValue(&rest), let text = String(validating: bytes, as: UTF8.self)
            else { return nil }
            parameters.append((String(decoding: name, as: UTF8.self).lowercased(), text))
        }
        self.parameters = parameters
    }

    /// The value of a parameter that occurs once; nil where it is absent or repeated.
    func single(_ name: String) -> String? {
        let values = self.parameters.filter { $0.name == name }
        return values.count == 1 ? values[0].value : nil
    }

    func contains(_ name: String) -> Bool { self.parameters.contains { $0.name == name } }

    /// Up to the next semicolon. In quotes, a backslash escapes a quote and itself; before anything else it is a
    /// backslash, as in the paths that some browsers have sent for names.
    private static func parameterValue(_ rest: inout ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        guard rest.first == UInt8(ascii: "\"") else {
            return self.trimmed(self.prefix(of: &rest) { $0 != UInt8(ascii: ";") })
        }
        rest.removeFirst()
        var value: [UInt8] = []
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "\""):
                let gap = self.prefix(of: &rest) { $0 != UInt8(ascii: ";") }
                return self.trimmed(gap).isEmpty ? value[...] : nil
            case UInt8(ascii: "\\"):
                if let next = rest.first, next == UInt8(ascii: "\"") || next == UInt8(ascii: "\\") {
                    rest.removeFirst()
                    value.append(next)
                } else {
                    value.append(byte)
                }
            default: value.append(byte)
            }
        }
        return nil
    }

    private static func prefix(of rest: inout ArraySlice<UInt8>, while holds: (UInt8) -> Bool) -> ArraySlice<UInt8> {
        let prefix = rest.prefix(while: holds)
        rest = rest[prefix.endIndex...]
        return prefix
    }

    private static func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var bytes = bytes
        while let edge = bytes.first, edge == 0x20 || edge == 0x09 { bytes.removeFirst() }
        while let edge = bytes.last, edge == 0x20 || edge == 0x09 { bytes.removeLast() }
        return bytes
    }
}
