import NIOCore

extension EventArgument {
    /// A value of a document as an argument of an event. Binary becomes attachments, an ObjectId its hexadecimal text, a date
    /// a text as in RFC 3339.
    ///
    /// - Throws: ``BSONFormError`` for what JSON has no form for.
    package init(_ element: BSONElement) throws(BSONFormError) {
        if let binary = element.binary {
            self = .binary(binary)
            return
        }
        var json = ByteBuffer()
        var attachments: [ByteBuffer] = []
        try element.writeJSON(into: &json, &attachments)
        self = attachments.isEmpty ? .json(json) : .mixed(json, attachments: attachments)
    }
}

/// A value that JSON has no form for.
package struct BSONFormError: Error, Equatable {
    package let type: BSONType
}

extension BSONElement {
    fileprivate func writeJSON(
        into json: inout ByteBuffer, _ attachments: inout [ByteBuffer]
    ) throws(BSONFormError) {
        switch self.type {
        case .string:
            guard let text = self.string else { throw BSONFormError(type: self.type) }
            json.writeJSONString(text)
        case .int32, .int64: json.writeString(String(self.int64 ?? 0))
        case .double:
            guard let value = self.double, value.isFinite else { throw BSONFormError(type: self.type) }
            // As JSON's own writers do, which tell no whole number from an integer.
            if let whole = Int64(exactly: value), abs(whole) < 1 << 53 {
                json.writeString(String(whole))
            } else {
                json.writeString("\(value)")
            }
        case .bool: json.writeString(self.bool == true ? "true" : "false")
        case .null, .undefined: json.writeString("null")
        case .date:
            guard let text = self.date.flatMap(Self.timestamp) else { throw BSONFormError(type: self.type) }
            json.writeString("\"\(text)\"")
        case .objectID:
            json.writeString("\"")
            for byte in self.rawValue.readableBytesView {
                json.writeString(String(byte >> 4, radix: 16) + String(byte & 15, radix: 16))
            }
            json.writeString("\"")
        case .binary:
            json.writeString("{\"_placeholder\":true,\"num\":\(attachments.count)}")
            attachments.append(self.binary ?? ByteBuffer())
        case .array:
            var separator = "["
            for element in self.array ?? BSONDocument({ _ in }) {
                json.writeString(separator)
                separator = ","
                try element.writeJSON(into: &json, &attachments)
            }
            json.writeString(separator == "[" ? "[]" : "]")
        case .document:
            var separator = "{"
            for element in self.document ?? BSONDocument({ _ in }) {
                json.writeString(separator)
                separator = ","
                json.writeJSONString(element.name)
                json.writeString(":")
                try element.writeJSON(into: &json, &attachments)
            }
            json.writeString(separator == "{" ? "{}" : "}")
        case .regex, .pointer, .code, .symbol, .scopedCode, .timestamp, .decimal128, .maxKey, .minKey:
            throw BSONFormError(type: self.type)
        }
    }

    /// RFC 3339 in UTC; nil outside of the years 0 to 9999.
    private static func timestamp(_ milliseconds: Int64) -> String? {
        func floorDivide(_ value: Int64, _ divisor: Int64) -> (Int64, Int64) {
            let rest = (value % divisor + divisor) % divisor
            return ((value - rest) / divisor, rest)
        }
        let (days, time) = floorDivide(milliseconds, 86_400_000)
        // Days of the proleptic Gregorian calendar, in eras of 400 years that begin in March.
        let (era, dayOfEra) = floorDivide(days + 719_468, 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shifted + 2) / 5 + 1
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        guard (0...9_999).contains(year) else { return nil }
        func digits(_ value: Int64, _ count: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, count - text.utf8.count)) + text
        }
        let fraction = time % 1_000 == 0 ? "" : "." + digits(time % 1_000, 3)
        return "\(digits(year, 4))-\(digits(month, 2))-\(digits(day, 2))T\(digits(time / 3_600_000, 2))"
            + ":\(digits(time / 60_000 % 60, 2)):\(digits(time / 1_000 % 60, 2))\(fraction)Z"
    }
}
