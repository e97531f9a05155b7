/// What an action is asked, the same over HTTP and over a socket (SPEC AC-3).
public struct ActionRequest: Sendable {
    public enum Transport: String, Sendable {
        case http, socket
        /// Run by the application itself (``Station/run(_:_:as:query:body:)``).
        case process
    }

    /// How the requester would like the answer.
    public enum Format: String, Sendable {
        case json, html
    }

    /// What came with the request.
    public enum Body: Sendable {
        case none
        case json(JSONValue)
        /// Flat strings; of a repeated name the last one.
        case form([String: String])
        case text(String)
    }

    public let transport: Transport
    public let method: ActionMethod
    public let domain: String
    /// Raw, without query.
    public let path: String
    /// Percent-decoded; a capture that took no part is absent.
    public let params: [String: String]
    /// Flat strings; of a repeated name the last one.
    public let query: [String: String]
    public let body: Body
    /// The files of a `multipart/form-data` body, in its order.
    public var files: [RequestFile] = []
    /// A body that is not buffered (``ActionOptions/binaryStreams``, ``ActionOptions/neverBuffer``); ``body`` is empty then.
    public var stream: RequestStream?
    /// In lower case, without parameters.
    public let contentType: String?
    public let format: Format
    public let address: String
    /// Which request it is, where the requester says so.
    var idempotencyKey: String?
    /// The trace that it belongs to, where the requester says so.
    var trace: RequestTrace?
    /// Which version of a thing it is about, where the requester says so.
    var ifMatch: String?
    /// The query as the action's schema sees it; nil where it has none.
    var checkedQuery: JSONValue?
    /// The body as the action's schema sees it.
    var checkedBody: JSONValue?

    /// Decodes the body: JSON, or a form as an object of strings.
    ///
    /// - Throws: ``ActionError`` 400 `SCHEMA`, which a handler lets pass.
    public func body<Value: Decodable>(as type: Value.Type) throws(ActionError) -> Value {
        guard let value = self.checkedBody ?? self.body.value else {
            throw .schema(at: "body", path: "", message: "is required")
        }
        return try Self.decode(value, as: type, at: "body")
    }

    /// Decodes the query: an object of strings, or of what the action's schema makes of them.
    ///
    /// - Throws: ``ActionError`` 400 `SCHEMA`.
    public func query<Value: Decodable>(as type: Value.Type) throws(ActionError) -> Value {
        try Self.decode(
            self.checkedQuery ?? .object(self.query.mapValues { .string($0) }), as: type, at: "query")
    }

    private static func decode<Value: Decodable>(
        _ value: JSONValue, as type: Value.Type, at place: String
    ) throws(ActionError) -> Value {
        do {
            return try value.decoded(as: type)
        } catch let error as DecodingError {
            let (path, message) = self.explain(error)
            throw .schema(at: place, path: path, message: message)
        } catch {
            throw .schema(at: place, path: "", message: "it does not have the required form")
        }
    }

    /// What was wrong where, in words of our own: the decoder's may quote the input.
    private static func explain(_ error: DecodingError) -> (path: String, message: String) {
        func pointer(_ path: [any CodingKey]) -> String {
            JSONPointer.text(path.map { $0.intValue.map(String.init) ?? $0.stringValue })
        }
        switch error {
        case .keyNotFound(let key, let context): return (pointer(context.codingPath + [key]), "is required")
        case .valueNotFound(_, let context): return (pointer(context.codingPath), "must not be null")
        case .typeMismatch(_, let context): return (pointer(context.codingPath), "has the wrong type")
        case .dataCorrupted(let context): return (pointer(context.codingPath), "has a value that is not allowed")
        @unknown default: return ("", "does not have the required form")
        }
    }
}
