import NIOCore
import Wire

/// The one object that the arguments of a product event are to be, read by the strict rules of SPEC WS-3. Members are read as
/// far as they can be, so that a refusal can name what it refuses.
struct StrictObject {
    private(set) var id: MessageID?
    /// Whether all of it is as it must be.
    private(set) var isStrict = true
    private(set) var values: [String: JSONValue] = [:]
    /// Bytes of each value as it was sent.
    private(set) var sizes: [String: Int] = [:]

    /// - Parameter arguments: JSON values with commas between them, valid; empty where there are none.
    init(_ arguments: UnsafeRawBufferPointer) {
        var scanner = JSONScanner(arguments)
        guard scanner.next == UInt8(ascii: "{"), scanner.skipValue() else {
            self.isStrict = false
            return
        }
        let object = UnsafeRawBufferPointer(rebasing: arguments[..<scanner.position])
        scanner.skipWhitespace()
        // More arguments than one: nobody knows what they would mean.
        if scanner.position != arguments.count { self.isStrict = false }
        var reader = JSONObjectReader(object)
        while let member = reader.next() {
            let rawKey = UnsafeRawBufferPointer(rebasing: object[member.key])
            let value = UnsafeRawBufferPointer(rebasing: object[member.value])
            guard let key = JSONString.decodeStrict(rawKey), key != "__proto__", self.sizes[key] == nil,
                let parsed = try? JSONValue(text: ByteBuffer(bytes: value)),
                key != "constructor" || parsed["prototype"] == nil
            else {
                self.isStrict = false
                continue
            }
            self.sizes[key] = value.count
            self.values[key] = parsed
            if key == "_id" {
                self.id = MessageID(json: value)
                if self.id == nil { self.isStrict = false }
            }
        }
    }
}
