/// The values of `format` that are held to (SPEC AC-6), and those that are known but say nothing to a validator.
enum SchemaFormat: String, Sendable, CaseIterable {
    case dateTime = "date-time"
    case date, time, email, uuid, uri
    case ipv4, ipv6
    /// OpenAPI's: integers of 32 and 64 bits.
    case int32, int64

    /// For people and generators only.
    static let annotations: Set<String> = ["float", "double", "password", "byte", "binary"]

    var words: String {
        switch self {
        case .dateTime: "a date and time as in RFC 3339"
        case .date: "a date as in RFC 3339"
        case .time: "a time as in RFC 3339"
        case .email: "an e-mail address"
        case .uuid: "a UUID"
        case .uri: "an absolute URI"
        case .ipv4: "an IPv4 address"
        case .ipv6: "an IPv6 address"
        case .int32: "an integer of 32 bits"
        case .int64: "an integer of 64 bits"
        }
    }

    /// Values of another type than the format's are none of its business.
    func accepts(_ value: JSONValue) -> Bool {
        switch (self, value) {
        case (.int32, .int), (.int32, .double):
            JSONNumber.isInteger(value)
                && (JSONNumber.compare(value, .int(Int64(Int32.min))) ?? -1) >= 0
                && (JSONNumber.compare(value, .int(Int64(Int32.max))) ?? 1) <= 0
        case (.int64, .double(let number)): Int64(exactly: number) != nil
        case (.int32, _), (.int64, _): true
        case (_, .string(let text)): self.accepts(text)
        default: true
        }
    }

    private func accepts(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        switch self {
        case .dateTime:
            guard bytes.count > 11, bytes[10] == UInt8(ascii: "T") || bytes[10] == UInt8(ascii: "t") else {
                return false
            }
            return TimestampText.isDate(bytes[..<10]) && TimestampText.isTime(bytes[11...])
        case .date: return TimestampText.isDate(bytes[...])
        case .time: return TimestampText.isTime(bytes[...])
        case .email: return AddressText.isEmail(text)
        case .uuid: return AddressText.isUUID(bytes)
        case .uri: return AddressText.isURI(bytes)
        case .ipv4: return AddressText.isIPv4(text)
        case .ipv6: return AddressText.isIPv6(text)
        case .int32, .int64: return true
        }
    }
}
