/// Names and label values as the Prometheus text format wants them.
enum MetricName {
    /// Letters, digits, `_` and `:`, not starting with a digit; anything else becomes `_`.
    static func metric(_ text: String) -> String { self.sanitised(text, allowsColon: true) }

    static func label(_ text: String) -> String { self.sanitised(text, allowsColon: false) }

    static func escaped(_ value: String) -> String {
        var result = ""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            case "\n": result += "\\n"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    private static func sanitised(_ text: String, allowsColon: Bool) -> String {
        var bytes = text.utf8.map { byte -> UInt8 in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                byte
            case UInt8(ascii: ":") where allowsColon: byte
            default: UInt8(ascii: "_")
            }
        }
        if let first = bytes.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) || bytes.isEmpty {
            bytes.insert(UInt8(ascii: "_"), at: 0)
        }
        return bytes.isEmpty ? "_" : String(decoding: bytes, as: UTF8.self)
    }
}
