internal import NIOCore

/// What a query or a body has to be, as JSON Schema (the subset of draft 2020-12 that `docs/actions.md` lists). Compiled at
/// start: one that cannot be used stops it.
///
/// ```swift
/// let post: ActionSchema = #"{"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}}"#
/// ```
public struct ActionSchema: Sendable, Hashable {
    enum Form: Sendable, Hashable {
        case value(JSONValue)
        /// Found at registration.
        case invalid(why: String)
    }

    let form: Form

    public init(_ schema: JSONValue) {
        self.form = .value(schema)
    }

    /// - Parameter text: JSON; read by the strict rules of SPEC WS-3.
    public init(text: String) {
        do {
            self.form = .value(try JSONValue(text: ByteBuffer(string: text)))
        } catch {
            self.form = .invalid(why: "it is not JSON (\(error))")
        }
    }

    /// The schema of what a type decodes (see ``JSONSchemaProviding`` for types that do not show it by themselves).
    public init<Value: Decodable>(of type: Value.Type) {
        do {
            self.form = .value(try SchemaDerivation.schema(of: type))
        } catch {
            self.form = .invalid(why: "\(error)")
        }
    }
}

extension ActionSchema: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral, ExpressibleByDictionaryLiteral {
    /// JSON.
    public init(stringLiteral value: String) { self.init(text: value) }
    public init(booleanLiteral value: Bool) { self.init(.bool(value)) }
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        self.init(.object(Dictionary(elements) { $1 }))
    }
}
