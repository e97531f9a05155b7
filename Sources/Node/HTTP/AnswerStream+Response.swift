internal import HummingbirdCore
internal import NIOCore

extension AnswerStream {
    /// Bytes of one write: the client's progress is seen as often.
    private static let write = 65_536

    /// The stream as the body of a response. The next piece is asked for when the connection has room again. One that fails
    /// throws without an end, so that the connection is cut and no client takes what it has for all (SPEC AC-7).
    var responseBody: ResponseBody {
        ResponseBody(contentLength: self.length) { writer in
            do {
                while var piece = try await self.next() {
                    while piece.readableBytes > 0,
                        let part = piece.readSlice(length: min(piece.readableBytes, Self.write))
                    {
                        try await writer.write(part)
                    }
                }
            } catch {
                self.cancel()
                throw error
            }
            try await writer.finish(nil)
        }
    }
}
