/// Reads the keywords of one schema object, and makes the rules that need no other schema.
struct SchemaReader {
    let members: [String: JSONValue]
    let pointer: String

    /// Where a keyword is, or a part of it.
    func place(_ tokens: String...) -> String {
        self.pointer + JSONPointer.text(tokens)
    }

    func refuseUnknown() throws(SchemaError) {
        for keyword in self.members.keys.sorted() {
            if SchemaKeyword.places[keyword] != nil || SchemaKeyword.assertions.contains(keyword)
                || SchemaKeyword.annotations.contains(keyword) || keyword.hasPrefix("x-")
            {
                continue
            }
            let place = self.place(keyword)
            switch keyword {
            case "$schema":
                let dialect = try self.string("$schema") ?? ""
                guard dialect == SchemaKeyword.dialect || dialect == SchemaKeyword.dialect + "#" else {
                    throw SchemaError(pointer: place, why: "only draft 2020-12 is supported")
                }
            case "$id":
                guard self.pointer.isEmpty, try self.string("$id") != nil else {
                    throw SchemaError(pointer: place, why: "is supported as a text at the top only")
                }
            default:
                let isKnown = SchemaKeyword.unsupported.contains(keyword)
                throw SchemaError(pointer: place, why: isKnown ? "is not supported" : "is no keyword")
            }
        }
    }

    // MARK: Rules

    func valueRules() throws(SchemaError) -> [SchemaRule] {
        var rules: [SchemaRule] = []
        if let type = self.members["type"] { rules.append(.types(try self.types(type))) }
        if let constant = self.members["const"] { rules.append(.constant(ExactJSON(constant))) }
        if let allowed = self.members["enum"] {
            guard case .array(let values) = allowed else { throw self.error("enum", "must be an array") }
            rules.append(.allowed(Set(values.map(ExactJSON.init))))
        }
        let bounds: [(String, SchemaRule.Bound)] = [
            ("minimum", .minimum), ("maximum", .maximum), ("exclusiveMinimum", .exclusiveMinimum),
            ("exclusiveMaximum", .exclusiveMaximum),
        ]
        for (keyword, bound) in bounds {
            guard let value = self.members[keyword] else { continue }
            guard SchemaTypes(of: value).contains(.number) else { throw self.error(keyword, "must be a number") }
            rules.append(.bound(bound, value))
        }
        if let divisor = self.members["multipleOf"] {
            guard let sign = JSONNumber.compare(divisor, .int(0)), sign > 0, let decimal = JSONNumber.decimal(divisor)
            else { throw self.error("multipleOf", "must be a number of more than 0") }
            rules.append(.multipleOf(decimal))
        }
        return rules
    }

    func stringRules() throws(SchemaError) -> [SchemaRule] {
        var rules: [SchemaRule] = []
        if let count = try self.count("minLength") { rules.append(.minLength(count)) }
        if let count = try self.count("maxLength") { rules.append(.maxLength(count)) }
        if let text = try self.string("pattern") {
            rules.append(.pattern(try self.pattern(text, at: self.place("pattern"))))
        }
        if let name = try self.string("format"), !SchemaFormat.annotations.contains(name) {
            guard let format = SchemaFormat(rawValue: name) else {
                let known = SchemaFormat.allCases.map(\.rawValue).joined(separator: ", ")
                throw self.error("format", "is none of the supported ones: \(known)")
            }
            rules.append(.format(format))
        }
        return rules
    }

    func arrayRules() throws(SchemaError) -> [SchemaRule] {
        var rules: [SchemaRule] = []
        if let count = try self.count("minItems") { rules.append(.minItems(count)) }
        if let count = try self.count("maxItems") { rules.append(.maxItems(count)) }
        if let value = self.members["uniqueItems"] {
            guard let isUnique = value.bool else { throw self.error("uniqueItems", "must be true or false") }
            if isUnique { rules.append(.uniqueItems) }
        }
        return rules
    }

    func objectRules() throws(SchemaError) -> [SchemaRule] {
        var rules: [SchemaRule] = []
        if let count = try self.count("minProperties") { rules.append(.minProperties(count)) }
        if let count = try self.count("maxProperties") { rules.append(.maxProperties(count)) }
        if let value = self.members["required"] {
            rules.append(.required(try self.strings(value, at: self.place("required"))))
        }
        if let value = self.members["dependentRequired"] {
            guard case .object(let entries) = value else { throw self.error("dependentRequired", "must be an object") }
            var rule: [(name: String, required: [String])] = []
            for (name, value) in entries.sorted(by: { $0.key < $1.key }) {
                rule.append((name, try self.strings(value, at: self.place("dependentRequired", name))))
            }
            rules.append(.dependentRequired(rule))
        }
        return rules
    }

    // MARK: Values of keywords

    private func error(_ keyword: String, _ why: String) -> SchemaError {
        SchemaError(pointer: self.place(keyword), why: why)
    }

    func string(_ keyword: String) throws(SchemaError) -> String? {
        guard let value = self.members[keyword] else { return nil }
        guard let text = value.string else { throw self.error(keyword, "must be a string") }
        return text
    }

    func count(_ keyword: String) throws(SchemaError) -> Int? {
        guard let value = self.members[keyword] else { return nil }
        guard let count = JSONNumber.count(value) else { throw self.error(keyword, "must be an integer of at least 0") }
        return count
    }

    func pattern(_ text: String, at pointer: String) throws(SchemaError) -> TextPattern {
        do {
            return try TextPattern(text)
        } catch {
            throw SchemaError(pointer: pointer, why: "is not a supported pattern: \(error)")
        }
    }

    /// An object of schemas, by name, in order.
    func schemas(_ keyword: String) throws(SchemaError) -> [(String, JSONValue)] {
        guard let value = self.members[keyword] else { return [] }
        guard case .object(let schemas) = value else { throw self.error(keyword, "must be an object of schemas") }
        return schemas.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    private func strings(_ value: JSONValue, at pointer: String) throws(SchemaError) -> [String] {
        guard case .array(let elements) = value else {
            throw SchemaError(pointer: pointer, why: "must be an array of strings")
        }
        let strings = elements.compactMap(\.string)
        guard strings.count == elements.count, Set(strings).count == strings.count else {
            throw SchemaError(pointer: pointer, why: "must be an array of strings, each there once")
        }
        return strings
    }

    private func types(_ value: JSONValue) throws(SchemaError) -> SchemaTypes {
        let names: [JSONValue] = if case .array(let names) = value { names } else { [value] }
        var types: SchemaTypes = []
        for name in names {
            guard let type = name.string.flatMap(SchemaTypes.init(name:)) else {
                throw self.error("type", "must be one of JSON Schema's types, or an array of them")
            }
            types.insert(type)
        }
        guard !types.isEmpty else { throw self.error("type", "must name a type") }
        return types
    }
}
