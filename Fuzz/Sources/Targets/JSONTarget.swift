import Foundation
import NIOCore
import Wire

/// JSON text: the scanner against Foundation's reader, the array and object readers against the scanner, strings against
/// what Foundation decodes.
enum JSONTarget {
    static func run(_ bytes: UnsafeRawBufferPointer) throws(Finding) {
        let isValid = JSONScanner.isValid(bytes)
        if isValid { try self.read(bytes, depth: 0) }
        try self.string(bytes)
        // The scanner leaves UTF-8 to its callers.
        guard UTF8Validation.isValid(bytes) else { return }
        let value = try? JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)
        if (value != nil) != isValid, !self.mayDiffer(bytes, isValid: isValid) {
            throw Finding(
                description: isValid
                    ? "Foundation refuses what the scanner accepts" : "the scanner refuses what Foundation accepts")
        }
        guard isValid, let text = value as? String, let first = bytes.firstIndex(of: UInt8(ascii: "\"")),
            let last = bytes.lastIndex(of: UInt8(ascii: "\""))
        else { return }
        let raw = UnsafeRawBufferPointer(rebasing: bytes[(first + 1)..<last])
        try Finding.check(JSONString.decodeStrict(raw) == text, "a string decodes as in Foundation")
    }

    /// What the two see differently, on purpose.
    private static func mayDiffer(_ bytes: UnsafeRawBufferPointer, isValid: Bool) -> Bool {
        if isValid {
            // A lone surrogate is legal text (SOCKETIO §10.4), and so is a number that no double can hold; Foundation
            // refuses both.
            return self.hasSurrogateEscape(bytes) || self.hasLargeNumber(bytes)
        }
        // Nesting is capped here (SPEC WS-3); Foundation guesses encodings, from marks and from zero bytes, and lets a
        // comma stand behind the last member.
        return self.isDeep(bytes) || bytes.contains(0) || bytes.starts(with: [0xEF, 0xBB, 0xBF])
            || self.hasTrailingComma(bytes)
    }

    private static func hasTrailingComma(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var afterComma = false
        for byte in bytes {
            switch byte {
            case UInt8(ascii: ","): afterComma = true
            case 0x20, 0x09, 0x0A, 0x0D: break
            case UInt8(ascii: "]"), UInt8(ascii: "}"): if afterComma { return true }
            default: afterComma = false
            }
        }
        return false
    }

    private static func hasSurrogateEscape(_ bytes: UnsafeRawBufferPointer) -> Bool {
        for index in bytes.indices.dropLast(4) where bytes[index] == UInt8(ascii: "\\") {
            let mark = bytes[index + 2] | 0x20
            if bytes[index + 1] == UInt8(ascii: "u"), mark == UInt8(ascii: "d"), bytes[index + 3] > UInt8(ascii: "7") {
                return true
            }
        }
        return false
    }

    private static func hasLargeNumber(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var digits = 0
        for byte in bytes {
            digits = byte &- UInt8(ascii: "0") < 10 ? digits + 1 : 0
            if digits > 17 || byte | 0x20 == UInt8(ascii: "e") { return true }
        }
        return false
    }

    private static func isDeep(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.lazy.filter { $0 == UInt8(ascii: "[") || $0 == UInt8(ascii: "{") }.count > JSONScanner.depthLimit
    }

    /// Every part of a valid text is valid, and is found where it stands.
    private static func read(_ text: UnsafeRawBufferPointer, depth: Int) throws(Finding) {
        try Finding.check(depth <= JSONScanner.depthLimit, "nesting is bounded (SPEC WS-3)")
        _ = Placeholders.areValid(in: text, attachmentCount: 3)
        _ = Placeholders.index(of: text)
        var array = JSONArrayReader(text)
        if !array.isMalformed {
            while let element = array.next() { try self.part(text, element, depth) }
            try Finding.check(!array.isMalformed, "a valid array is read to its end")
            return
        }
        var object = JSONObjectReader(text)
        guard !object.isMalformed else { return }
        while let member = object.next() {
            try Finding.check(member.key.upperBound <= text.count, "a key lies in the text")
            _ = JSONString.decode(UnsafeRawBufferPointer(rebasing: text[member.key]))
            try self.part(text, member.value, depth)
        }
        try Finding.check(!object.isMalformed, "a valid object is read to its end")
    }

    private static func part(_ text: UnsafeRawBufferPointer, _ range: Range<Int>, _ depth: Int) throws(Finding) {
        try Finding.check(!range.isEmpty && range.upperBound <= text.count, "a part lies in the text")
        let part = UnsafeRawBufferPointer(rebasing: text[range])
        try Finding.check(JSONScanner.isValid(part), "a part of valid text is valid")
        try self.read(part, depth: depth + 1)
    }

    /// Any text survives being written as a JSON string.
    private static func string(_ bytes: UnsafeRawBufferPointer) throws(Finding) {
        let text = String(decoding: bytes, as: UTF8.self)
        var written = ByteBuffer()
        written.writeJSONString(text)
        let isSame = written.withUnsafeReadableBytes { json in
            guard JSONScanner.isValid(json), UTF8Validation.isValid(json) else { return false }
            let raw = UnsafeRawBufferPointer(rebasing: json[1..<(json.count - 1)])
            let decoded = JSONString.decodeStrict(raw)
            return decoded.map { $0.utf8.elementsEqual(text.utf8) } ?? false
                && JSONString.decodedCount(raw) == text.utf8.count
        }
        try Finding.check(isSame, "a string is written so that it reads the same")
        _ = JSONString.decode(bytes)
        _ = JSONString.decodeStrict(bytes)
        _ = JSONString.decodedCount(bytes)
    }
}
