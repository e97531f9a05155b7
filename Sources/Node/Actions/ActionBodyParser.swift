internal import NIOCore

/// Reads and parses the body of an action (SPEC AC-5).
enum ActionBodyParser {
    enum ContentType: Equatable {
        case none
        case json(String)
        case form
        case text(String)
        case other(String)

        var name: String? {
            switch self {
            case .none: nil
            case .form: "application/x-www-form-urlencoded"
            case .json(let name), .text(let name), .other(let name): name
            }
        }
    }

    /// Parameters, a charset for one, change nothing: text is UTF-8.
    static func type(_ value: String?) -> ContentType {
        guard let value else { return .none }
        let name = (value.split(separator: ";").first ?? "").lowercased().filter { $0 != " " && $0 != "\t" }
        if name == "application/json" || name.hasSuffix("+json") { return .json(name) }
        if name == "application/x-www-form-urlencoded" { return .form }
        return name.hasPrefix("text/") ? .text(name) : .other(name)
    }

    static func body(
        of call: ActionCall, type: ContentType, options: ActionOptions
    ) async throws(ActionError) -> ActionRequest.Body {
        if case .none = call.body { return .none }
        guard !options.rejectsBody else { throw .tooLarge }
        if let encoding = call.contentEncoding?.lowercased(), encoding != "identity" { throw .unsupported }
        if case .other = type { throw .unsupported }
        let bytes = try await self.read(call.body, limit: options.maxBodyLength)
        switch type {
        case .none:
            guard bytes.readableBytes == 0 else { throw .unsupported }
            return .none
        case .other: throw .unsupported
        case .json:
            do {
                return .json(try JSONValue(text: bytes))
            } catch {
                throw ActionError(400, "MALFORMED", ["at": "body", "message": .string(self.words(error))])
            }
        case .form:
            guard let text = self.text(bytes), let fields = PercentEncoding.fields(text) else { throw .badRequest }
            return .form(fields)
        case .text:
            guard let text = self.text(bytes) else { throw .badRequest }
            return .text(text)
        }
    }

    private static func read(_ body: ActionCall.Body, limit: Int) async throws(ActionError) -> ByteBuffer {
        switch body {
        case .none: return ByteBuffer()
        case .bytes(let bytes):
            guard bytes.readableBytes <= limit else { throw .tooLarge }
            return bytes
        case .stream(let read):
            do {
                return try await read(limit)
            } catch {
                switch error {
                case .tooLarge: throw .tooLarge
                case .slow: throw .slowBody
                case .broken: throw .badRequest
                }
            }
        }
    }

    private static func text(_ bytes: ByteBuffer) -> String? {
        String(validating: bytes.readableBytesView, as: UTF8.self)
    }

    private static func words(_ error: JSONTextError) -> String {
        switch error {
        case .malformed: "not JSON"
        case .notUTF8: "not UTF-8"
        case .tooDeep: "nested too deeply"
        case .duplicateKey: "a key occurs twice"
        case .pollutingKey: "a key that is not allowed"
        case .loneSurrogate: "half a surrogate pair"
        case .numberOutOfRange: "a number that is too large"
        }
    }
}
