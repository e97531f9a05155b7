/// The header of one part of a form (RFC 7578 §4).
public struct MultipartHead: Sendable, Hashable {
    /// The field's name.
    public let name: String
    /// The file's name without folders; nil for a field. Still somebody else's text: never a path to write to.
    public let filename: String?
    /// In lower case, without parameters; nil where none is given.
    public let contentType: String?

    /// - Parameter lines: the header without its blank line.
    init(_ lines: ArraySlice<UInt8>, limits: MultipartLimits) throws(MultipartError) {
        var disposition: ParameterList?
        var type: String?
        var rest = lines
        while !rest.isEmpty {
            let line = rest.prefix { $0 != 0x0D }
            // The parser hands over whole lines; a lone CR, or a LF or NUL within one, is nobody's.
            guard rest[line.endIndex...].prefix(2).elementsEqual([0x0D, 0x0A]), line.allSatisfy(Self.isClean) else {
                throw .malformed("a header of a part")
            }
            rest = rest[(line.endIndex + 2)...]
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon != line.startIndex,
                line[..<colon].allSatisfy({ $0 > 0x20 && $0 < 0x7F }),
                let value = String(validating: line[(colon + 1)...], as: UTF8.self)
            else { throw .malformed("a header of a part") }
            switch String(decoding: line[..<colon], as: UTF8.self).lowercased() {
            case "content-disposition":
                guard disposition == nil, let list = ParameterList(value) else { throw .malformed("a disposition") }
                disposition = list
            case "content-type":
                guard type == nil else { throw .malformed("a part with two types") }
                type = ParameterList(value)?.value
            case "content-transfer-encoding":
                let encoding = value.lowercased().filter { $0 != " " && $0 != "\t" }
                guard ["7bit", "8bit", "binary"].contains(encoding) else { throw .encoded }
            default: break
            }
        }
        guard let disposition, disposition.value == "form-data", let name = disposition.single("name") else {
            throw .malformed("a part without a name")
        }
        self.name = Self.unescaped(name)
        self.filename = try Self.filename(disposition)
        self.contentType = type
        guard self.name.utf8.count <= limits.nameBytes, (self.filename?.utf8.count ?? 0) <= limits.filenameBytes
        else { throw .nameTooLong }
    }

    /// `filename*` (RFC 8187, UTF-8 only) counts before `filename`: RFC 7578 §4.2 tells clients not to send it, some do.
    private static func filename(_ disposition: ParameterList) throws(MultipartError) -> String? {
        for name in ["filename", "filename*"] where disposition.contains(name) && disposition.single(name) == nil {
            throw .malformed("a part with two file names")
        }
        if let extended = disposition.single("filename*") {
            let parts = extended.split(separator: "'", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { throw .malformed("a file name") }
            if parts[0].lowercased() == "utf-8" {
                guard let text = PercentEncoding.decode(parts[2]), text.utf8.allSatisfy(self.isClean) else {
                    throw .malformed("a file name")
                }
                return self.base(text)
            }
        }
        return disposition.single("filename").map { self.base(self.unescaped($0)) }
    }

    /// Browsers escape a quote by its percent code (WHATWG HTML, multipart/form-data encoding algorithm). The codes of line
    /// breaks stay as they are: no name gets one.
    private static func unescaped(_ text: String) -> String {
        text.contains("%22")
            ? text.split(separator: "%22", omittingEmptySubsequences: false).joined(separator: "\"") : text
    }

    /// Behind the last slash of either kind (RFC 7578 §4.2).
    private static func base(_ text: String) -> String {
        let bytes = Array(text.utf8)
        let start = bytes.lastIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\") }.map { $0 + 1 } ?? 0
        return String(decoding: bytes[start...], as: UTF8.self)
    }

    private static func isClean(_ byte: UInt8) -> Bool { byte >= 0x20 && byte != 0x7F || byte == 0x09 }
}
