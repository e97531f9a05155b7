/// The array side of the recording decoder: one element.
struct SchemaRecordingElements: UnkeyedDecodingContainer {
    let recorder: SchemaRecorder
    var codingPath: [any CodingKey] { [] }
    var count: Int? { nil }
    var isAtEnd: Bool { !self.recorder.elements.isEmpty }
    var currentIndex: Int { self.recorder.elements.count }

    func decodeNil() throws -> Bool { false }

    func decode<Value: Decodable>(_ type: Value.Type) throws -> Value { try self.recorder.element(type) }

    func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) throws -> KeyedDecodingContainer<Nested> {
        throw self.recorder.error("it decodes an array by parts")
    }

    func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
        throw self.recorder.error("it decodes an array by parts")
    }

    func superDecoder() throws -> any Decoder { throw self.recorder.error("it decodes an array by parts") }

    func decode(_ type: Bool.Type) throws -> Bool { try self.recorder.element(type) }
    func decode(_ type: String.Type) throws -> String { try self.recorder.element(type) }
    func decode(_ type: Double.Type) throws -> Double { try self.recorder.element(type) }
    func decode(_ type: Float.Type) throws -> Float { try self.recorder.element(type) }
    func decode(_ type: Int.Type) throws -> Int { try self.recorder.element(type) }
    func decode(_ type: Int8.Type) throws -> Int8 { try self.recorder.element(type) }
    func decode(_ type: Int16.Type) throws -> Int16 { try self.recorder.element(type) }
    func decode(_ type: Int32.Type) throws -> Int32 { try self.recorder.element(type) }
    func decode(_ type: Int64.Type) throws -> Int64 { try self.recorder.element(type) }
    func decode(_ type: UInt.Type) throws -> UInt { try self.recorder.element(type) }
    func decode(_ type: UInt8.Type) throws -> UInt8 { try self.recorder.element(type) }
    func decode(_ type: UInt16.Type) throws -> UInt16 { try self.recorder.element(type) }
    func decode(_ type: UInt32.Type) throws -> UInt32 { try self.recorder.element(type) }
    func decode(_ type: UInt64.Type) throws -> UInt64 { try self.recorder.element(type) }
}
