/// Finds the JSON Schema of a type by letting it decode from a decoder that notes what is asked for.
///
/// What is not shown that way is refused: an enumeration is known by its cases or not at all.
final class SchemaDerivation {
    private var done: [ObjectIdentifier: (schema: JSONValue, sample: Any)] = [:]
    private var open: [ObjectIdentifier] = []
    /// Types that hold themselves, by the name of their definition.
    private var names: [ObjectIdentifier: String] = [:]
    private var definitions: [String: JSONValue] = [:]

    /// - Throws: ``SchemaDerivationError``.
    static func schema<Value: Decodable>(of type: Value.Type) throws -> JSONValue {
        if let provider = type as? any JSONSchemaProviding.Type {
            guard case .value(let schema) = provider.jsonSchema.form else {
                throw SchemaDerivationError(type: "\(type)", why: "its jsonSchema is no JSON")
            }
            return schema
        }
        let derivation = SchemaDerivation()
        let schema = try derivation.schema(of: type)
        guard !derivation.definitions.isEmpty, case .object(var members) = schema else { return schema }
        members["$defs"] = .object(derivation.definitions)
        return .object(members)
    }

    /// The schema alone: of a type that is being looked at already, a reference.
    func schema<Value: Decodable>(of type: Value.Type) throws -> JSONValue {
        let id = ObjectIdentifier(type)
        if self.open.contains(id) { return .object(["$ref": .string("#/$defs/" + self.name(of: type))]) }
        return try self.derive(type).schema
    }

    /// The schema, and some value of the type for whoever decodes it.
    func derive<Value: Decodable>(_ type: Value.Type) throws -> (schema: JSONValue, sample: Value) {
        let id = ObjectIdentifier(type)
        if let found = self.done[id], let sample = found.sample as? Value { return (found.schema, sample) }
        guard !self.open.contains(id) else {
            throw SchemaDerivationError(type: "\(type)", why: "it holds itself without end")
        }
        self.open.append(id)
        defer { self.open.removeLast() }
        var (schema, sample) = try self.find(type)
        if let name = self.names[id] {
            self.definitions[name] = schema
            schema = .object(["$ref": .string("#/$defs/" + name)])
        }
        self.done[id] = (schema, sample)
        return (schema, sample)
    }

    private func find<Value: Decodable>(_ type: Value.Type) throws -> (JSONValue, Value) {
        if let provider = type as? any JSONSchemaProviding.Type {
            return try self.provided(type, provider.jsonSchema)
        }
        if let leaf = type as? any SchemaLeaf.Type, let sample = leaf.sample as? Value {
            return (leaf.leafSchema, sample)
        }
        if let wrapper = type as? any SchemaWrapper.Type, let sample = wrapper.emptySample as? Value {
            return (try wrapper.schema(self), sample)
        }
        if let enumeration = type as? any (CaseIterable & RawRepresentable).Type {
            return try self.enumerated(type, enumeration)
        }
        let recorder = SchemaRecorder(type: "\(type)", derivation: self)
        let sample: Value
        do {
            sample = try Value(from: SchemaRecordingDecoder(recorder: recorder))
        } catch let error as SchemaDerivationError {
            throw error
        } catch {
            throw SchemaDerivationError(
                type: "\(type)", why: "it refuses what it could be asked with (\(Self.words(error)))")
        }
        if sample is any RawRepresentable, Mirror(reflecting: sample).displayStyle == .enum {
            throw SchemaDerivationError(type: "\(type)", why: "it is an enumeration that is not CaseIterable")
        }
        return (try recorder.schema(), sample)
    }

    private func provided<Value: Decodable>(_ type: Value.Type, _ given: ActionSchema) throws -> (JSONValue, Value) {
        guard case .value(let schema) = given.form else {
            throw SchemaDerivationError(type: "\(type)", why: "its jsonSchema is no JSON")
        }
        guard let sample = SchemaSample.value(of: type, schema) else {
            throw SchemaDerivationError(type: "\(type)", why: "its jsonSchema has no \"examples\" that it decodes")
        }
        return (schema, sample)
    }

    private func enumerated<Value: Decodable>(
        _ type: Value.Type, _ enumeration: any (CaseIterable & RawRepresentable).Type
    ) throws -> (JSONValue, Value) {
        let values = Self.rawValues(enumeration)
        let decoded = values.compactMap { $0.flatMap { raw in try? raw.decoded(as: type) } }
        guard let sample = decoded.first, decoded.count == values.count else {
            throw SchemaDerivationError(type: "\(type)", why: "its cases are not decoded from their raw values")
        }
        let isText = values.allSatisfy { $0?.string != nil }
        return (["type": isText ? "string" : "integer", "enum": .array(values.compactMap(\.self))], sample)
    }

    private static func rawValues<Enumeration: CaseIterable & RawRepresentable>(
        _ type: Enumeration.Type
    ) -> [JSONValue?] {
        type.allCases.map { element in
            switch element.rawValue {
            case let text as String: .string(text)
            case let number as any BinaryInteger: Int64(exactly: number).map { .int($0) }
            default: nil
            }
        }
    }

    /// Also allows null.
    static func nullable(_ schema: JSONValue) -> JSONValue {
        guard case .object(var members) = schema else { return schema }
        if let type = members["type"], type.string != nil, members["enum"] == nil, members["const"] == nil {
            members["type"] = [type, "null"]
            return .object(members)
        }
        return members.isEmpty ? schema : ["anyOf": [schema, ["type": "null"]]]
    }

    private func name(of type: Any.Type) -> String {
        let id = ObjectIdentifier(type)
        if let name = self.names[id] { return name }
        let allowed = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")
        let base = String("\(type)".map { allowed.contains($0) ? $0 : "_" })
        let taken = Set(self.names.values)
        let name =
            taken.contains(base) ? (2...).lazy.map { "\(base)-\($0)" }.first { !taken.contains($0) } ?? base : base
        self.names[id] = name
        return name
    }

    private static func words(_ error: any Error) -> String {
        guard let error = error as? DecodingError else { return "\(error)" }
        switch error {
        case .dataCorrupted(let context), .keyNotFound(_, let context), .typeMismatch(_, let context),
            .valueNotFound(_, let context):
            return context.debugDescription
        @unknown default: return "\(error)"
        }
    }
}
