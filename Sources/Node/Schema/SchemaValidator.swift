/// Checks one value against compiled rules. Bounded: the work is counted, and so is the depth.
struct SchemaValidator {
    /// Schemas applied within each other; a value has 64 levels at most.
    static let depthLimit = 400

    /// Ends the whole check, whatever other branches would say.
    private enum Abort: Error {
        case work, depth
    }

    private let nodes: [[SchemaRule]]
    private var work: Int
    private var depth = 0

    init(_ nodes: [[SchemaRule]], work: Int) {
        self.nodes = nodes
        self.work = work
    }

    mutating func failure(of value: JSONValue) -> SchemaFailure? {
        do {
            return try self.check(value, 0)
        } catch {
            switch error {
            case .work: return SchemaFailure("takes too long to check")
            case .depth: return SchemaFailure("is nested too deeply to be checked")
            }
        }
    }

    private mutating func spend(_ work: Int) throws(Abort) {
        self.work -= work
        guard self.work >= 0 else { throw .work }
    }

    private mutating func check(_ value: JSONValue, _ node: Int) throws(Abort) -> SchemaFailure? {
        try self.spend(1)
        guard self.depth < Self.depthLimit else { throw .depth }
        self.depth += 1
        defer { self.depth -= 1 }
        for index in self.nodes[node].indices {
            try self.spend(1)
            if let failure = try self.apply(self.nodes[node][index], to: value) { return failure }
        }
        return nil
    }

    private mutating func apply(_ rule: SchemaRule, to value: JSONValue) throws(Abort) -> SchemaFailure? {
        switch rule {
        case .never: return SchemaFailure("is not allowed")
        case .types(let types):
            guard types.isDisjoint(with: SchemaTypes(of: value)) else { return nil }
            return SchemaFailure("must be \(types.words)", isType: true)
        case .constant(let constant):
            try self.spend(value.weight)
            return constant == ExactJSON(value) ? nil : SchemaFailure("must be the one value that is allowed")
        case .allowed(let values):
            try self.spend(value.weight)
            return values.contains(ExactJSON(value)) ? nil : SchemaFailure("must be one of the values that are allowed")
        case .bound(let bound, let limit): return Self.check(value, bound, limit)
        case .multipleOf(let divisor):
            guard SchemaTypes(of: value).contains(.number) else { return nil }
            return JSONNumber.isMultiple(value, of: divisor)
                ? nil : SchemaFailure("must be a multiple of what is given")
        case .minLength, .maxLength, .pattern, .format: return try self.checkText(value, rule)
        case .minItems, .maxItems, .uniqueItems, .items, .contains: return try self.checkArray(value, rule)
        case .minProperties, .maxProperties, .required, .dependentRequired, .members, .propertyNames,
            .dependentSchemas:
            return try self.checkObject(value, rule)
        case .reference(let node): return try self.check(value, node)
        case .all(let nodes):
            for node in nodes { if let failure = try self.check(value, node) { return failure } }
            return nil
        case .any(let nodes): return try self.checkAny(value, nodes)
        case .one(let nodes): return try self.checkOne(value, nodes)
        case .not(let node): return try self.check(value, node) == nil ? SchemaFailure("is not allowed") : nil
        case .condition(let test, let then, let other):
            let branch = try self.check(value, test) == nil ? then : other
            return if let branch { try self.check(value, branch) } else { nil }
        }
    }

    private static func check(_ value: JSONValue, _ bound: SchemaRule.Bound, _ limit: JSONValue) -> SchemaFailure? {
        guard let order = JSONNumber.compare(value, limit) else { return nil }
        let text = JSONNumber.text(limit)
        switch bound {
        case .minimum: return order >= 0 ? nil : SchemaFailure("must be at least \(text)")
        case .maximum: return order <= 0 ? nil : SchemaFailure("must be at most \(text)")
        case .exclusiveMinimum: return order > 0 ? nil : SchemaFailure("must be more than \(text)")
        case .exclusiveMaximum: return order < 0 ? nil : SchemaFailure("must be less than \(text)")
        }
    }

    private mutating func checkText(_ value: JSONValue, _ rule: SchemaRule) throws(Abort) -> SchemaFailure? {
        if case .format(let format) = rule {
            return format.accepts(value) ? nil : SchemaFailure("must be \(format.words)")
        }
        guard case .string(let text) = value else { return nil }
        try self.spend(text.utf8.count / 16)
        switch rule {
        case .minLength(let limit):
            return text.unicodeScalars.count >= limit ? nil : SchemaFailure("must have at least \(limit) characters")
        case .maxLength(let limit):
            return text.unicodeScalars.count <= limit ? nil : SchemaFailure("must have at most \(limit) characters")
        case .pattern(let pattern):
            return try self.matches(text, pattern) ? nil : SchemaFailure("does not match the pattern")
        default: preconditionFailure("a rule for strings")
        }
    }

    private mutating func matches(_ text: String, _ pattern: TextPattern) throws(Abort) -> Bool {
        do {
            return try pattern.matches(text, steps: &self.work)
        } catch {
            throw .work
        }
    }

    private mutating func checkArray(_ value: JSONValue, _ rule: SchemaRule) throws(Abort) -> SchemaFailure? {
        guard case .array(let elements) = value else { return nil }
        switch rule {
        case .minItems(let limit):
            return elements.count >= limit ? nil : SchemaFailure("must have at least \(limit) elements")
        case .maxItems(let limit):
            return elements.count <= limit ? nil : SchemaFailure("must have at most \(limit) elements")
        case .uniqueItems:
            try self.spend(value.weight)
            var seen = Set<ExactJSON>(minimumCapacity: elements.count)
            for (index, element) in elements.enumerated() where !seen.insert(ExactJSON(element)).inserted {
                return SchemaFailure("is there already").within(String(index))
            }
            return nil
        case .items(let prefix, let rest):
            for (index, element) in elements.enumerated() {
                guard let node = index < prefix.count ? prefix[index] : rest else { break }
                if let failure = try self.check(element, node) { return failure.within(String(index)) }
            }
            return nil
        case .contains(let node, let min, let max):
            var count = 0
            for element in elements where try self.check(element, node) == nil { count += 1 }
            if count < min { return SchemaFailure("has too few elements of a required kind") }
            return count <= max ?? .max ? nil : SchemaFailure("has too many elements of a kind")
        default: preconditionFailure("a rule for arrays")
        }
    }

    private mutating func checkObject(_ value: JSONValue, _ rule: SchemaRule) throws(Abort) -> SchemaFailure? {
        guard case .object(let members) = value else { return nil }
        switch rule {
        case .minProperties(let limit):
            return members.count >= limit ? nil : SchemaFailure("must have at least \(limit) members")
        case .maxProperties(let limit):
            return members.count <= limit ? nil : SchemaFailure("must have at most \(limit) members")
        case .required(let names): return Self.missing(names, in: members)
        case .dependentRequired(let entries):
            for entry in entries where members[entry.name] != nil {
                if let failure = Self.missing(entry.required, in: members) { return failure }
            }
            return nil
        case .dependentSchemas(let entries):
            for entry in entries where members[entry.name] != nil {
                if let failure = try self.check(value, entry.schema) { return failure }
            }
            return nil
        case .members(let rule): return try self.checkMembers(members, rule)
        case .propertyNames(let node):
            for name in try self.sorted(members) {
                if let failure = try self.check(.string(name), node) {
                    return SchemaFailure("has a name that is not allowed: it " + failure.message).within(name)
                }
            }
            return nil
        default: preconditionFailure("a rule for objects")
        }
    }

    private static func missing(_ names: [String], in members: [String: JSONValue]) -> SchemaFailure? {
        names.first { members[$0] == nil }.map { SchemaFailure("is required").within($0) }
    }

    /// In order, so that the first failure is the same one each time.
    private mutating func sorted(_ members: [String: JSONValue]) throws(Abort) -> [String] {
        try self.spend(members.count)
        return members.keys.sorted()
    }

    private mutating func checkMembers(
        _ members: [String: JSONValue], _ rule: SchemaRule.Members
    ) throws(Abort) -> SchemaFailure? {
        for (name, node) in rule.properties {
            guard let value = members[name] else { continue }
            if let failure = try self.check(value, node) { return failure.within(name) }
        }
        guard !rule.patterns.isEmpty || rule.rest != nil else { return nil }
        for name in try self.sorted(members) {
            guard let value = members[name] else { continue }
            var isKnown = rule.names.contains(name)
            for (pattern, node) in rule.patterns where try self.matches(name, pattern) {
                isKnown = true
                if let failure = try self.check(value, node) { return failure.within(name) }
            }
            guard !isKnown, let rest = rule.rest else { continue }
            if let failure = try self.check(value, rest) { return failure.within(name) }
        }
        return nil
    }

    private mutating func checkAny(_ value: JSONValue, _ nodes: [Int]) throws(Abort) -> SchemaFailure? {
        var failures: [SchemaFailure] = []
        for node in nodes {
            guard let failure = try self.check(value, node) else { return nil }
            failures.append(failure)
        }
        return Self.best(failures)
    }

    private mutating func checkOne(_ value: JSONValue, _ nodes: [Int]) throws(Abort) -> SchemaFailure? {
        var failures: [SchemaFailure] = []
        for node in nodes {
            if let failure = try self.check(value, node) { failures.append(failure) }
        }
        switch nodes.count - failures.count {
        case 0: return Self.best(failures)
        case 1: return nil
        default: return SchemaFailure("has more than one of the forms that exclude each other")
        }
    }

    /// Where all forms but one are of another type, what that one misses is what helps.
    private static func best(_ failures: [SchemaFailure]) -> SchemaFailure {
        let close = failures.filter { !$0.isType }
        return close.count == 1 ? close[0] : SchemaFailure("has none of the forms that are allowed")
    }
}
