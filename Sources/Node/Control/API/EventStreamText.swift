import NIOCore

/// Events as `text/event-stream` has them (HTML Living Standard §9.2). Data is JSON, which has no line breaks.
enum EventStreamText {
    static let type = "text/event-stream"
    /// Milliseconds after which a browser comes again.
    static let retry = 2_000

    static func event(_ name: String, _ data: JSONValue) -> ByteBuffer {
        var text = ByteBuffer(string: "retry: \(self.retry)\nevent: \(name)\ndata: ")
        data.write(to: &text)
        text.writeString("\n\n")
        return text
    }
}
