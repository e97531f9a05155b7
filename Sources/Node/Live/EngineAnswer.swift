import HTTPTypes
import NIOCore

/// An answer on the engine path.
struct EngineAnswer: Sendable {
    var status: Int
    var contentType: String?
    var body: ByteBuffer
    /// The connection is closed behind it.
    var closes = false
    /// Whether it may go compressed: the answers to polls.
    var isCompressible = false
    /// Further header fields.
    var extra = HTTPFields()

    var head: HTTPResponse {
        var fields = self.extra
        if let contentType = self.contentType { fields[.contentType] = contentType }
        fields[.contentLength] = String(self.body.readableBytes)
        if self.status != 204 {
            fields[.cacheControl] = "no-store"
            fields[.xContentTypeOptions] = "nosniff"
        }
        if self.closes { fields[.connection] = "close" }
        return HTTPResponse(status: .init(code: self.status), headerFields: fields)
    }

    mutating func addVary(_ name: String) {
        self.extra[.vary] = self.extra[.vary].map { "\($0), \(name)" } ?? name
    }
}
