internal import NIOCore

/// Makes of flat strings, in a query or a form, what a schema says that they are: integers, numbers, true and false. One that
/// does not look like it stays a string, and fails.
struct FlatValues: Sendable {
    /// The types of the members that have one.
    let types: [String: SchemaTypes]

    init(_ schema: JSONSchema) {
        self.types = schema.memberTypes
    }

    /// A member that no string can be.
    var impossible: String? {
        let scalars: SchemaTypes = [.string, .integer, .number, .boolean, .null]
        return self.types.filter { $0.value.isDisjoint(with: scalars) }.keys.min()
    }

    func value(of fields: [String: String]) -> JSONValue {
        .object(
            Dictionary(
                uniqueKeysWithValues: fields.map { name, text in
                    (name, self.types[name].map { Self.value(text, $0) } ?? .string(text))
                }))
    }

    private static func value(_ text: String, _ types: SchemaTypes) -> JSONValue {
        if types.contains(.string) { return .string(text) }
        if types.contains(.boolean), text == "true" || text == "false" { return .bool(text == "true") }
        if types.contains(.null), text.isEmpty { return .null }
        // JSON's form of a number only: no "0x10", no " 1".
        if !types.isDisjoint(with: [.integer, .number]), let first = text.utf8.first,
            first == UInt8(ascii: "-") || (0x30...0x39).contains(first), text.utf8.last.map({ $0 > 0x20 }) ?? false
        {
            do { return try JSONValue(text: ByteBuffer(string: text)) } catch { return .string(text) }
        }
        return .string(text)
    }
}

extension JSONSchema {
    /// The types that it allows; nil for any.
    var types: SchemaTypes? {
        var seen: Set<Int> = []
        return self.types(of: 0, &seen)
    }

    /// The types that the schema gives its members, wherever it says so for all values alike.
    fileprivate var memberTypes: [String: SchemaTypes] {
        var found: [String: SchemaTypes] = [:]
        for node in self.conjuncts(of: 0) {
            for case .members(let members) in self.nodes[node] {
                for (name, schema) in members.properties {
                    var seen: Set<Int> = []
                    if let types = self.types(of: schema, &seen) {
                        found[name] = found[name].map { $0.intersection(types) } ?? types
                    }
                }
            }
        }
        return found
    }

    /// The schemas that a value of this one must fit as well: itself, references and `allOf`.
    private func conjuncts(of start: Int) -> [Int] {
        var nodes = [start]
        var next = 0
        while next < nodes.count {
            for rule in self.nodes[nodes[next]] {
                let others: [Int] =
                    switch rule {
                    case .reference(let node): [node]
                    case .all(let all): all
                    default: []
                    }
                for node in others where !nodes.contains(node) { nodes.append(node) }
            }
            next += 1
        }
        return nodes
    }

    /// nil where it allows any.
    private func types(of node: Int, _ seen: inout Set<Int>) -> SchemaTypes? {
        guard seen.insert(node).inserted else { return nil }
        var types: SchemaTypes?
        func narrow(_ other: SchemaTypes) { types = types.map { $0.intersection(other) } ?? other }
        for rule in self.conjuncts(of: node).flatMap({ self.nodes[$0] }) {
            switch rule {
            case .types(let own): narrow(own.contains(.number) ? own.union(.integer) : own)
            case .constant(let value): narrow(SchemaTypes(of: value.value))
            case .allowed(let values): narrow(values.reduce(into: []) { $0.formUnion(SchemaTypes(of: $1.value)) })
            case .any(let nodes), .one(let nodes):
                let all = nodes.map { self.types(of: $0, &seen) }
                if !all.contains(nil) { narrow(all.compactMap(\.self).reduce(into: []) { $0.formUnion($1) }) }
            default: break
            }
        }
        return types
    }
}
