public import NIOCore

extension RequestStream {
    /// The parts of a `multipart/form-data` body that is streamed, for files that memory should not hold.
    ///
    /// - Throws: ``ActionError`` 415 for another type, 400 for one without a usable boundary.
    public func multipart(_ limits: MultipartLimits = MultipartLimits()) throws(ActionError) -> MultipartStream {
        let type = ActionBodyParser.type(self.contentType)
        guard case .multipart(let boundary) = type else { throw .unsupported }
        guard let boundary else { throw .malformed("the boundary is missing, or none") }
        return MultipartStream(pull: self.pull, parser: MultipartParser(boundary: boundary, limits: limits))
    }
}

/// The parts of a form, one after the other: the head of each, then the pieces of its content.
public struct MultipartStream: AsyncSequence, Sendable {
    public enum Element: Sendable, Hashable {
        case part(MultipartHead)
        /// Of the part before it.
        case bytes(ByteBuffer)
    }

    let pull: @Sendable () async throws(ActionError) -> ByteBuffer?
    let parser: MultipartParser

    public struct AsyncIterator: AsyncIteratorProtocol {
        let pull: @Sendable () async throws(ActionError) -> ByteBuffer?
        var parser: MultipartParser
        var isOver = false

        public mutating func next() async throws(ActionError) -> Element? {
            while !self.isOver {
                do {
                    switch try self.parser.next() {
                    case .part(let head): return .part(head)
                    case .bytes(let bytes): return .bytes(bytes)
                    case .partEnded: continue
                    case nil: break
                    }
                } catch {
                    self.isOver = true
                    throw ActionError(error)
                }
                if let bytes = try await self.pull() {
                    self.parser.feed(bytes)
                } else {
                    self.isOver = true
                    do { try self.parser.finish() } catch { throw ActionError(error) }
                }
            }
            return nil
        }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(pull: self.pull, parser: self.parser) }
}

extension ActionError {
    static func malformed(_ message: String) -> ActionError {
        ActionError(400, "MALFORMED", ["at": "body", "message": .string(message)])
    }

    init(_ error: MultipartError) {
        switch error {
        case .malformed(let message): self = .malformed(message)
        case .encoded: self = .unsupported
        case .headerTooLarge, .tooManyFields, .tooManyFiles, .nameTooLong: self = .tooLarge
        }
    }
}

extension Limit {
    /// The limit that a form has hit; nil where it is wrong in another way.
    init?(_ error: MultipartError) {
        switch error {
        case .malformed, .encoded: return nil
        case .headerTooLarge: self = .partHeader
        case .tooManyFields: self = .formFields
        case .tooManyFiles: self = .formFiles
        case .nameTooLong: self = .formNames
        }
    }
}
