/// What one type asked of its decoder.
final class SchemaRecorder {
    let type: String
    let derivation: SchemaDerivation
    private var properties: [String: JSONValue] = [:]
    private var required: Set<String> = []
    /// Keys that it looked for before it asked for them.
    private var probed: Set<String> = []
    private var nullable: Set<String> = []
    private var nested: [String: SchemaRecorder] = [:]
    private var isKeyed = false
    private(set) var elements: [JSONValue] = []
    private var isUnkeyed = false
    private var single: JSONValue?
    private var isNullable = false

    init(type: String, derivation: SchemaDerivation) {
        self.type = type
        self.derivation = derivation
    }

    func error(_ why: String) -> SchemaDerivationError {
        SchemaDerivationError(type: self.type, why: why)
    }

    func becomeKeyed() { self.isKeyed = true }
    func becomeUnkeyed() { self.isUnkeyed = true }
    func becomeNullable() { self.isNullable = true }

    func probe(_ key: String) { self.probed.insert(key) }
    func allowNull(_ key: String) { self.nullable.insert(key) }

    func property<Value: Decodable>(_ key: String, _ type: Value.Type) throws -> Value {
        let (schema, sample) = try self.derivation.derive(type)
        try self.note(key, schema)
        self.required.insert(key)
        return sample
    }

    /// One that may be absent, or null. No value of it is needed, so it may hold the type itself.
    func optionalProperty<Value: Decodable>(_ key: String, _ type: Value.Type) throws {
        try self.note(key, SchemaDerivation.nullable(try self.derivation.schema(of: type)))
    }

    private func note(_ key: String, _ schema: JSONValue) throws {
        guard self.properties[key].map({ $0 == schema }) ?? true else {
            throw self.error("it decodes \"\(key)\" in more than one way")
        }
        self.properties[key] = schema
    }

    func child(_ key: String) -> SchemaRecorder {
        let recorder = self.nested[key] ?? SchemaRecorder(type: self.type, derivation: self.derivation)
        self.nested[key] = recorder
        self.required.insert(key)
        return recorder
    }

    func element<Value: Decodable>(_ type: Value.Type) throws -> Value {
        let (schema, sample) = try self.derivation.derive(type)
        guard self.elements.first.map({ $0 == schema }) ?? true else {
            throw self.error("it decodes an array of different things")
        }
        self.elements.append(schema)
        return sample
    }

    func value<Value: Decodable>(_ type: Value.Type) throws -> Value {
        let (schema, sample) = try self.derivation.derive(type)
        guard self.single.map({ $0 == schema }) ?? true else { throw self.error("it decodes in more than one way") }
        self.single = schema
        return sample
    }

    func schema() throws -> JSONValue {
        guard [self.isKeyed, self.isUnkeyed, self.single != nil].filter(\.self).count == 1 else {
            throw self.error("it does not show what it decodes")
        }
        let schema: JSONValue
        if let single = self.single {
            schema = single
        } else if self.isUnkeyed {
            guard let element = self.elements.first else { throw self.error("it does not show what it decodes") }
            schema = ["type": "array", "items": element]
        } else {
            schema = try self.objectSchema()
        }
        return self.isNullable ? SchemaDerivation.nullable(schema) : schema
    }

    private func objectSchema() throws -> JSONValue {
        var properties = self.properties
        for (key, recorder) in self.nested { properties[key] = try recorder.schema() }
        for key in self.nullable { properties[key] = properties[key].map(SchemaDerivation.nullable) }
        var members: [String: JSONValue] = ["type": "object", "properties": .object(properties)]
        let required = self.required.subtracting(self.probed).sorted()
        if !required.isEmpty { members["required"] = .array(required.map { .string($0) }) }
        return .object(members)
    }
}
