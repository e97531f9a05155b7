/// Notes in a recorder what is asked for, and answers with values that mean nothing.
struct SchemaRecordingDecoder: Decoder {
    let recorder: SchemaRecorder
    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        self.recorder.becomeKeyed()
        return KeyedDecodingContainer(SchemaRecordingMembers<Key>(recorder: self.recorder))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        self.recorder.becomeUnkeyed()
        return SchemaRecordingElements(recorder: self.recorder)
    }

    func singleValueContainer() throws -> any SingleValueDecodingContainer {
        SchemaRecordingValue(recorder: self.recorder)
    }
}
