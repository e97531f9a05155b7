/// The object side of the recording decoder. The primitives of `decodeIfPresent` are the standard library's, by way of
/// `contains` and `decodeNil`.
struct SchemaRecordingMembers<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let recorder: SchemaRecorder
    var codingPath: [any CodingKey] { [] }
    /// What goes by the keys that are there, as enumerations with associated values do, finds none and refuses.
    var allKeys: [Key] { [] }

    func contains(_ key: Key) -> Bool {
        self.recorder.probe(key.stringValue)
        return true
    }

    func decodeNil(forKey key: Key) throws -> Bool {
        self.recorder.allowNull(key.stringValue)
        return false
    }

    func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
        try self.recorder.property(key.stringValue, type)
    }

    func decodeIfPresent<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value? {
        try self.recorder.optionalProperty(key.stringValue, type)
        return nil
    }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) throws -> KeyedDecodingContainer<Nested> {
        try SchemaRecordingDecoder(recorder: self.recorder.child(key.stringValue)).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        try SchemaRecordingDecoder(recorder: self.recorder.child(key.stringValue)).unkeyedContainer()
    }

    func superDecoder() throws -> any Decoder {
        SchemaRecordingDecoder(recorder: self.recorder.child("super"))
    }

    func superDecoder(forKey key: Key) throws -> any Decoder {
        SchemaRecordingDecoder(recorder: self.recorder.child(key.stringValue))
    }

    func decode(_ type: Bool.Type, forKey key: Key) throws -> Bool { try self.recorder.property(key.stringValue, type) }
    func decode(_ type: String.Type, forKey key: Key) throws -> String {
        try self.recorder.property(key.stringValue, type)
    }
    func decode(_ type: Double.Type, forKey key: Key) throws -> Double {
        try self.recorder.property(key.stringValue, type)
    }
    func decode(_ type: Float.Type, forKey key: Key) throws -> Float {
        try self.recorder.property(key.stringValue, type)
    }
    func decode(_ type: Int.Type, forKey key: Key) throws -> Int { try self.recorder.property(key.stringValue, type) }
    func decode(_ type: Int8.Type, forKey key: Key) throws -> Int8 { try self.recorder.property(key.stringValue, type) }
    func decode(_ type: Int16.Type, forKey key: Key) throws -> Int16 {
        try self.recorder.property(key.stringValue, type)
    }
    func decode(_ type: Int32.Type, forKey key: Key) throws -> Int32 {
        try self.recorder.property(key.stringValue, type)
    }
    func decode(_ type: Int64.Type, forKey key: Key) throws -> Int64 {
        try self.recorder.property(key.stringValue, type)
    }
    func decode(_ type: UInt.Type, forKey key: Key) throws -> UInt { try self.recorder.property(key.stringValue, type) }
    func decode(_ type: UInt8.Type, forKey key: Key) throws -> UInt8 {
        try self.recorder.property(key.stringValue, type)
    }
    func decode(_ type: UInt16.Type, forKey key: Key) throws -> UInt16 {
        try self.recorder.property(key.stringValue, type)
    }
    func decode(_ type: UInt32.Type, forKey key: Key) throws -> UInt32 {
        try self.recorder.property(key.stringValue, type)
    }
    func decode(_ type: UInt64.Type, forKey key: Key) throws -> UInt64 {
        try self.recorder.property(key.stringValue, type)
    }
}
