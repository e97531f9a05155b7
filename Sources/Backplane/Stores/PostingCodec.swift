import Routing
import Wire

/// Documents of the outbox (docs/outbox.md).
///
/// From the application: `{_id, v?, domain?, user, client?, event, args?, confirm?, trace?, traceparent?, at?, meta?}`. From this program: `state`,
/// `lane: {s, n}`, `receipt`, `error`, `expires`.
enum PostingCodec {
    /// Of the application's part; it has no `fv`, as applications write it.
    static let version: Int64 = 1
    /// Largest document that is read.
    static let sizeLimit = 256 << 10

    static let begun = "sending"
    static let delivered = "delivered"
    static let refused = "refused"

    private static let given: Set<String> = [
        "_id", "v", "domain", "user", "client", "event", "args", "confirm", "trace", "traceparent", "at",
        "meta",
    ]
    private static let made: Set<String> = ["state", "lane"]

    /// - Parameter document: `{_id, state?, lane?, d}`, where `d` is the whole, or null where that is too large.
    static func read(_ document: BSONDocument) -> PostingReading? {
        guard let id = PostingID(of: document) else { return nil }
        let number = self.number(of: document)
        guard let whole = document["d"]?.document else {
            return .malformed(
                id, number, PostingRefusal(.tooLarge, "the document is larger than \(self.sizeLimit) bytes"))
        }
        do throws(PostingRefusal) {
            return .posting(try self.posting(whole, id, number, isBegun: document["state"]?.string == self.begun))
        } catch {
            return .malformed(id, number, error)
        }
    }

    static func number(of document: BSONDocument) -> PostingNumber? {
        guard let lane = document["lane"]?.document, let code = lane["s"]?.int64,
            let stream = RecoveryStream(code: code),
            let number = lane["n"]?.int64, (1..<RecoveryMark.numberLimit).contains(number)
        else { return nil }
        return PostingNumber(stream: stream, number: number)
    }

    static func write(_ number: PostingNumber, into writer: inout BSONWriter) {
        writer.document("lane") {
            $0.append("s", number.stream.code)
            $0.append("n", number.number)
        }
    }

    private static func posting(
        _ document: BSONDocument, _ id: PostingID, _ number: PostingNumber?, isBegun: Bool
    ) throws(PostingRefusal) -> Posting {
        if let version = document["v"], version.int64 != self.version {
            throw PostingRefusal(
                .format, "v is not \(self.version): this version of the service reads no other form of documents")
        }
        for element in document {
            let name = element.name
            guard self.given.contains(name) || (isBegun && self.made.contains(name)) else {
                throw PostingRefusal(
                    .field, "\(name.prefix(64)) is no field of the format; what is your own goes into meta")
            }
        }
        guard let user = document["user"]?.string, Identifier.isValid(user) else {
            throw PostingRefusal(.identity, "user must be a text of 1 to 128 bytes without control characters")
        }
        let client = try self.text("client", document)
        if let client, !Identifier.isValid(client) {
            throw PostingRefusal(.identity, "client must be a text of 1 to 128 bytes without control characters")
        }
        guard let event = document["event"]?.string else { throw PostingRefusal(.event, "event must be a text") }
        return Posting(
            id: id, domain: try self.text("domain", document), user: user, client: client, event: event,
            arguments: try self.arguments(document), isConfirmed: try self.flag("confirm", document),
            isTraced: try self.flag("trace", document),
            parent: document["traceparent"]?.string.flatMap { TraceParent($0) }, number: number)
    }

    private static func text(_ name: String, _ document: BSONDocument) throws(PostingRefusal) -> String? {
        guard let element = document[name], !element.isNull else { return nil }
        guard let text = element.string else {
            throw PostingRefusal(name == "domain" ? .domain : .identity, "\(name) must be a text")
        }
        return text
    }

    private static func flag(_ name: String, _ document: BSONDocument) throws(PostingRefusal) -> Bool {
        guard let element = document[name] else { return false }
        guard let flag = element.bool else { throw PostingRefusal(.field, "\(name) must be true or false") }
        return flag
    }

    private static func arguments(_ document: BSONDocument) throws(PostingRefusal) -> [EventArgument] {
        guard let element = document["args"], !element.isNull else { return [] }
        guard let array = element.array else { throw PostingRefusal(.arguments, "args must be an array") }
        var arguments: [EventArgument] = []
        for element in array {
            do throws(BSONFormError) {
                arguments.append(try EventArgument(element))
            } catch {
                throw PostingRefusal(
                    .arguments,
                    "args.\(element.name) holds a value of the type \(error.type), which JSON has no form for")
            }
        }
        return arguments
    }
}
