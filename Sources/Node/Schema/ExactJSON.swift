/// A value as JSON Schema compares it: `1` and `1.0` are equal, `é` and `e` with an accent of its own are not.
struct ExactJSON: Sendable, Hashable {
    let value: JSONValue

    init(_ value: JSONValue) {
        self.value = value
    }

    static func == (one: ExactJSON, other: ExactJSON) -> Bool {
        self.equal(one.value, other.value)
    }

    func hash(into hasher: inout Hasher) {
        Self.hash(self.value, into: &hasher)
    }

    private static func equal(_ one: JSONValue, _ other: JSONValue) -> Bool {
        switch (one, other) {
        case (.null, .null): true
        case (.bool(let one), .bool(let other)): one == other
        case (.int, .int), (.int, .double), (.double, .int), (.double, .double):
            JSONNumber.compare(one, other) == 0
        case (.string(let one), .string(let other)): one.utf8.elementsEqual(other.utf8)
        case (.array(let one), .array(let other)):
            one.count == other.count && zip(one, other).allSatisfy { self.equal($0, $1) }
        case (.object(let one), .object(let other)):
            one.count == other.count
                && one.allSatisfy { key, value in other[key].map { self.equal(value, $0) } ?? false }
        default: false
        }
    }

    private static func hash(_ value: JSONValue, into hasher: inout Hasher) {
        switch value {
        case .null: hasher.combine(0)
        case .bool(let value): hasher.combine(value)
        case .int(let value): hasher.combine(value)
        case .double(let value):
            if let integer = Int64(exactly: value) { hasher.combine(integer) } else { hasher.combine(value) }
        case .string(let value): hasher.combine(value)
        case .array(let elements):
            hasher.combine(elements.count)
            for element in elements { self.hash(element, into: &hasher) }
        case .object(let members):
            // Members have no order.
            var sum = members.count
            for (key, value) in members {
                var member = Hasher()
                member.combine(key)
                self.hash(value, into: &member)
                sum ^= member.finalize()
            }
            hasher.combine(sum)
        }
    }
}

extension JSONValue {
    /// What it costs to look at all of it: values, and sixteen bytes of text each.
    var weight: Int {
        switch self {
        case .null, .bool, .int, .double: 1
        case .string(let text): 1 + text.utf8.count / 16
        case .array(let elements): elements.reduce(1) { $0 + $1.weight }
        case .object(let members): members.reduce(1) { $0 + 1 + $1.key.utf8.count / 16 + $1.value.weight }
        }
    }
}
