package import NIOCore

/// Composes compact JSON (SOCKETIO §10.4): puts commas, escapes strings, refuses what JSON cannot hold. Balancing
/// begins and ends, and keys in objects only, are the caller's part.
package struct JSONWriter {
    /// What was written so far.
    package private(set) var buffer: ByteBuffer
    private var needsComma = false

    /// - Parameter buffer: written to behind what it holds.
    package init(into buffer: ByteBuffer = ByteBuffer()) { self.buffer = buffer }

    package mutating func beginObject() { self.open(UInt8(ascii: "{")) }
    package mutating func endObject() { self.close(UInt8(ascii: "}")) }
    package mutating func beginArray() { self.open(UInt8(ascii: "[")) }
    package mutating func endArray() { self.close(UInt8(ascii: "]")) }

    package mutating func key(_ key: String) {
        self.separate()
        self.buffer.writeJSONString(key)
        self.buffer.writeInteger(UInt8(ascii: ":"))
        self.needsComma = false
    }

    package mutating func string(_ value: String) {
        self.separate()
        self.buffer.writeJSONString(value)
    }

    package mutating func integer(_ value: Int64) {
        self.separate()
        self.buffer.writeString(String(value))
    }

    package mutating func bool(_ value: Bool) {
        self.separate()
        self.buffer.writeStaticString(value ? "true" : "false")
    }

    package mutating func null() {
        self.separate()
        self.buffer.writeStaticString("null")
    }

    /// - Throws: `notFinite`.
    package mutating func number(_ value: Double) throws(JSONError) {
        guard value.isFinite else { throw .notFinite }
        self.separate()
        self.buffer.writeString(value.description)
    }

    /// A value that is JSON text already; not checked.
    package mutating func raw(_ json: UnsafeRawBufferPointer) {
        self.separate()
        self.buffer.writeBytes(json)
    }

    /// A value that is JSON text already; not checked.
    package mutating func raw(_ json: ByteBuffer) { json.withUnsafeReadableBytes { self.raw($0) } }

    /// - Throws: `notFinite`, `tooDeep`. What was written then is of no use.
    package mutating func value(_ value: JSONValue) throws(JSONError) { try self.value(value, depth: 0) }

    /// - Returns: the whole text of one value.
    package static func text(of value: JSONValue) throws(JSONError) -> ByteBuffer {
        var writer = JSONWriter()
        try writer.value(value)
        return writer.buffer
    }

    private mutating func value(_ value: JSONValue, depth: Int) throws(JSONError) {
        switch value {
        case .null: self.null()
        case .bool(let value): self.bool(value)
        case .integer(let value): self.integer(value)
        case .number(let value): try self.number(value)
        case .string(let value): self.string(value)
        case .array(let elements):
            // Checked on the way out as well: a peer survives decoding, and its walk at re-emit does not.
            guard depth < JSONScanner.depthLimit else { throw .tooDeep }
            self.beginArray()
            for element in elements { try self.value(element, depth: depth + 1) }
            self.endArray()
        case .object(let object):
            guard depth < JSONScanner.depthLimit else { throw .tooDeep }
            self.beginObject()
            for member in object.members {
                self.key(member.key)
                try self.value(member.value, depth: depth + 1)
            }
            self.endObject()
        }
    }

    private mutating func separate() {
        if self.needsComma { self.buffer.writeInteger(UInt8(ascii: ",")) }
        self.needsComma = true
    }

    private mutating func open(_ bracket: UInt8) {
        self.separate()
        self.buffer.writeInteger(bracket)
        self.needsComma = false
    }

    private mutating func close(_ bracket: UInt8) {
        self.buffer.writeInteger(bracket)
        self.needsComma = true
    }
}
