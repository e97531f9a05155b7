internal import NIOCore
internal import Synchronization

/// Reads and parses the body of an action (SPEC AC-5).
enum ActionBodyParser {
    enum ContentType: Equatable {
        case none
        case json(String)
        case form
        /// Without a boundary: 400 when its body is read.
        case multipart(MultipartBoundary?)
        case text(String)
        case other(String)

        var name: String? {
            switch self {
            case .none: nil
            case .form: "application/x-www-form-urlencoded"
            case .multipart: "multipart/form-data"
            case .json(let name), .text(let name), .other(let name): name
            }
        }

        /// Whether a field of it may prove domesticity (ID-4).
        var isForm: Bool {
            switch self {
            case .form, .multipart: true
            case .none, .json, .text, .other: false
            }
        }
    }

    /// What came with a request.
    struct Parsed {
        var body = ActionRequest.Body.none
        var files: [RequestFile] = []
        var stream: RequestStream?
    }

    /// Parameters, a charset for one, change nothing: text is UTF-8.
    static func type(_ value: String?) -> ContentType {
        guard let value else { return .none }
        let name = (value.split(separator: ";").first ?? "").lowercased().filter { $0 != " " && $0 != "\t" }
        switch name {
        case "application/json": return .json(name)
        case "application/x-www-form-urlencoded": return .form
        case "multipart/form-data": return .multipart(MultipartBoundary(contentType: value))
        default: break
        }
        if name.hasSuffix("+json") { return .json(name) }
        return name.hasPrefix("text/") ? .text(name) : .other(name)
    }

    /// - Parameter hit: counts a limit that the body has met.
    static func body(
        of call: ActionCall, type: ContentType, options: ActionOptions, hit: @escaping @Sendable (Limit) -> Void
    ) async throws(ActionError) -> Parsed {
        if case .none = call.body { return Parsed() }
        guard !options.rejectsBody else { throw .tooLarge }
        if let encoding = call.contentEncoding?.lowercased(), encoding != "identity" { throw .unsupported }
        if options.neverBuffer { return try self.stream(of: call, options, hit) }
        switch type {
        case .other:
            guard options.binaryStreams else { throw .unsupported }
            return try self.stream(of: call, options, hit)
        case .none where options.binaryStreams: return try self.stream(of: call, options, hit)
        case .none:
            guard try await self.read(call.body, options, hit).readableBytes == 0 else { throw .unsupported }
            return Parsed()
        case .json: return Parsed(body: .json(try self.json(try await self.read(call.body, options, hit))))
        case .form:
            guard let text = self.text(try await self.read(call.body, options, hit)),
                let fields = PercentEncoding.fields(text)
            else { throw .badRequest }
            return Parsed(body: .form(fields))
        case .multipart(let boundary):
            guard let boundary else { throw .malformed("the boundary is missing, or none") }
            return try await self.multipart(call.body, boundary, options, hit)
        case .text:
            guard let text = self.text(try await self.read(call.body, options, hit)) else { throw .badRequest }
            return Parsed(body: .text(text))
        }
    }

    private static func json(_ bytes: ByteBuffer) throws(ActionError) -> JSONValue {
        do {
            return try JSONValue(text: bytes)
        } catch {
            throw .malformed(self.words(error))
        }
    }

    private static func read(
        _ body: ActionCall.Body, _ options: ActionOptions, _ hit: @Sendable (Limit) -> Void
    ) async throws(ActionError) -> ByteBuffer {
        var reader = LimitedBody(body, limit: options.maxBodyLength)
        var buffer = ByteBuffer()
        while let piece = try await reader.next(.whole, hit) { buffer.writeImmutableBuffer(piece) }
        return buffer
    }

    /// The bytes of files count apart from all others, which are those of fields, headers and boundaries.
    private static func multipart(
        _ body: ActionCall.Body, _ boundary: MultipartBoundary, _ options: ActionOptions,
        _ hit: @Sendable (Limit) -> Void
    ) async throws(ActionError) -> Parsed {
        let (sum, isTooMuch) = options.maxBodyLength.addingReportingOverflow(options.bufferFiles)
        var reader = LimitedBody(body, limit: isTooMuch ? .max : sum)
        var parser = MultipartParser(boundary: boundary, limits: options.multipart)
        var form = MultipartForm()
        do {
            while let piece = try await reader.next(.whole, hit) {
                parser.feed(piece)
                while let event = try parser.next() { try form.take(event) }
                guard form.fileBytes <= options.bufferFiles else {
                    hit(.bodyFiles)
                    throw ActionError.tooLarge
                }
                guard reader.count - form.fileBytes <= options.maxBodyLength else {
                    hit(.body)
                    throw ActionError.tooLarge
                }
            }
            try parser.finish()
        } catch let error as MultipartError {
            if let limit = Limit(error) { hit(limit) }
            throw ActionError(error)
        } catch let error as ActionError {
            throw error
        } catch {
            throw .badRequest
        }
        return Parsed(body: .form(form.fields), files: form.files)
    }

    private static func stream(
        of call: ActionCall, _ options: ActionOptions, _ hit: @escaping @Sendable (Limit) -> Void
    ) throws(ActionError) -> Parsed {
        let reader = LimitedBody(call.body, limit: options.maxBodyLength)
        if let length = reader.length, length > options.maxBodyLength {
            hit(.body)
            throw .tooLarge
        }
        if case .stream(let source) = call.body { source.willStream() }
        let shared = Mutex(reader)
        let stream = RequestStream(contentType: call.contentType, length: reader.length) { () throws(ActionError) in
            // Values, not references: whoever reads from two tasks loses count, and is refused by the source.
            var reader = shared.withLock(\.self)
            defer { shared.withLock { $0 = reader } }
            return try await reader.next(.piece, hit)
        }
        return Parsed(stream: stream)
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
