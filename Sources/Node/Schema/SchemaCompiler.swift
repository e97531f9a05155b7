/// Turns a schema into rules. What it does not support is an error with its place, never passed over (SPEC AC-6).
struct SchemaCompiler {
    /// Schemas within a schema.
    static let sizeLimit = 10_000

    let root: JSONValue
    private var nodes: [[SchemaRule]] = []
    /// By place.
    private var indices: [String: Int] = [:]
    private var pending: [(index: Int, pointer: String, schema: JSONValue)] = []

    init(_ root: JSONValue) {
        self.root = root
    }

    /// - Returns: rules by schema; the first is the whole.
    mutating func compile() throws(SchemaError) -> [[SchemaRule]] {
        _ = try self.node(self.root, at: "")
        while let next = self.pending.popLast() {
            self.nodes[next.index] = try self.rules(of: next.schema, at: next.pointer)
        }
        try self.refuseCycles()
        return self.nodes
    }

    /// The place of a schema among the compiled ones; it is compiled once, later.
    mutating func node(_ schema: JSONValue, at pointer: String) throws(SchemaError) -> Int {
        if let index = self.indices[pointer] { return index }
        guard self.nodes.count < Self.sizeLimit else { throw SchemaError(pointer: "", why: "is too large") }
        let index = self.nodes.count
        self.indices[pointer] = index
        self.nodes.append([])
        self.pending.append((index, pointer, schema))
        return index
    }

    private mutating func rules(of schema: JSONValue, at pointer: String) throws(SchemaError) -> [SchemaRule] {
        switch schema {
        case .bool(let isAllowed): return isAllowed ? [] : [.never]
        case .object(let members):
            let reader = SchemaReader(members: members, pointer: pointer)
            try reader.refuseUnknown()
            for keyword in ["$defs", "definitions"] {
                for (name, schema) in try reader.schemas(keyword) {
                    _ = try self.node(schema, at: reader.place(keyword, name))
                }
            }
            return try reader.valueRules() + reader.stringRules() + self.arrayRules(reader)
                + self.objectRules(reader) + self.combiningRules(reader)
        default: throw SchemaError(pointer: pointer, why: "must be an object, true or false")
        }
    }

    private mutating func arrayRules(_ reader: SchemaReader) throws(SchemaError) -> [SchemaRule] {
        var rules = try reader.arrayRules()
        let prefix = try self.nodes("prefixItems", reader)
        let rest = try self.node("items", reader)
        if !prefix.isEmpty || rest != nil { rules.append(.items(prefix: prefix, rest: rest)) }
        if let contains = try self.node("contains", reader) {
            let (min, max) = (try reader.count("minContains") ?? 1, try reader.count("maxContains"))
            rules.append(.contains(contains, min: min, max: max))
        }
        return rules
    }

    private mutating func objectRules(_ reader: SchemaReader) throws(SchemaError) -> [SchemaRule] {
        var rules = try reader.objectRules()
        let properties = try self.members("properties", reader)
        var patterns: [(pattern: TextPattern, schema: Int)] = []
        for (text, schema) in try self.members("patternProperties", reader) {
            patterns.append((try reader.pattern(text, at: reader.place("patternProperties", text)), schema))
        }
        let rest = try self.node("additionalProperties", reader)
        if !properties.isEmpty || !patterns.isEmpty || rest != nil {
            rules.append(.members(.init(properties: properties, patterns: patterns, rest: rest)))
        }
        if let names = try self.node("propertyNames", reader) { rules.append(.propertyNames(names)) }
        let dependent = try self.members("dependentSchemas", reader)
        if !dependent.isEmpty { rules.append(.dependentSchemas(dependent)) }
        return rules
    }

    private mutating func combiningRules(_ reader: SchemaReader) throws(SchemaError) -> [SchemaRule] {
        var rules: [SchemaRule] = []
        if let reference = try reader.string("$ref") {
            rules.append(.reference(try self.resolve(reference, at: reader.place("$ref"))))
        }
        for (keyword, rule) in [("allOf", SchemaRule.all), ("anyOf", SchemaRule.any), ("oneOf", SchemaRule.one)] {
            let schemas = try self.nodes(keyword, reader)
            if !schemas.isEmpty { rules.append(rule(schemas)) }
        }
        if let not = try self.node("not", reader) { rules.append(.not(not)) }
        // Without `if` the others say nothing, but must be schemas all the same.
        let (test, then, other) =
            (try self.node("if", reader), try self.node("then", reader), try self.node("else", reader))
        if let test { rules.append(.condition(test, then: then, else: other)) }
        return rules
    }

    private mutating func node(_ keyword: String, _ reader: SchemaReader) throws(SchemaError) -> Int? {
        guard let schema = reader.members[keyword] else { return nil }
        return try self.node(schema, at: reader.place(keyword))
    }

    private mutating func nodes(_ keyword: String, _ reader: SchemaReader) throws(SchemaError) -> [Int] {
        guard let value = reader.members[keyword] else { return [] }
        guard case .array(let schemas) = value, !schemas.isEmpty else {
            throw SchemaError(pointer: reader.place(keyword), why: "must be an array of schemas, not empty")
        }
        var nodes: [Int] = []
        for (index, schema) in schemas.enumerated() {
            nodes.append(try self.node(schema, at: reader.place(keyword, String(index))))
        }
        return nodes
    }

    /// By name, in order.
    private mutating func members(
        _ keyword: String, _ reader: SchemaReader
    ) throws(SchemaError) -> [(name: String, schema: Int)] {
        var nodes: [(name: String, schema: Int)] = []
        for (name, schema) in try reader.schemas(keyword) {
            nodes.append((name, try self.node(schema, at: reader.place(keyword, name))))
        }
        return nodes
    }

    private mutating func resolve(_ reference: String, at pointer: String) throws(SchemaError) -> Int {
        guard reference.hasPrefix("#") else {
            throw SchemaError(pointer: pointer, why: "only references within the schema are supported (\"#/…\")")
        }
        guard let text = PercentEncoding.decode(reference.dropFirst()), let tokens = JSONPointer.tokens(text) else {
            throw SchemaError(pointer: pointer, why: "must be a JSON pointer behind \"#\"; anchors are not supported")
        }
        guard let schema = JSONPointer.value(at: tokens, in: self.root) else {
            throw SchemaError(pointer: pointer, why: "refers to a place where nothing is")
        }
        return try self.node(schema, at: JSONPointer.text(tokens))
    }

    /// A schema that applies itself to the same value again would never come to an end.
    private func refuseCycles() throws(SchemaError) {
        enum Mark { case fresh, open, done }
        var marks = Array(repeating: Mark.fresh, count: self.nodes.count)
        for start in self.nodes.indices where marks[start] == .fresh {
            var stack = [(node: start, isLeaving: false)]
            while let (node, isLeaving) = stack.popLast() {
                if isLeaving {
                    marks[node] = .done
                    continue
                }
                guard marks[node] == .fresh else { continue }
                marks[node] = .open
                stack.append((node, true))
                for next in self.nodes[node].flatMap(\.inPlace) {
                    if marks[next] == .open {
                        let pointer = self.indices.first { $0.value == next }?.key ?? ""
                        throw SchemaError(pointer: pointer, why: "applies itself to the same value again and again")
                    }
                    stack.append((next, false))
                }
            }
        }
    }
}
