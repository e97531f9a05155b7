internal import NIOCore

/// A `multipart/form-data` body in memory: fields as flat strings, of a repeated name the last one, and files (SPEC AC-5).
struct MultipartForm: Sendable {
    private(set) var fields: [String: String] = [:]
    private(set) var files: [RequestFile] = []
    /// Bytes of all files so far.
    private(set) var fileBytes = 0
    private var part: (head: MultipartHead, bytes: ByteBuffer)?

    mutating func take(_ event: MultipartParser.Event) throws(MultipartError) {
        switch event {
        case .part(let head): self.part = (head, ByteBuffer())
        case .bytes(let bytes):
            if self.part?.head.filename != nil { self.fileBytes += bytes.readableBytes }
            self.part?.bytes.writeImmutableBuffer(bytes)
        case .partEnded:
            guard let (head, bytes) = self.part else { return }
            self.part = nil
            if let filename = head.filename {
                // A file field in which nobody has chosen a file.
                if filename.isEmpty, bytes.readableBytes == 0 { return }
                self.files.append(
                    RequestFile(name: head.name, filename: filename, contentType: head.contentType, bytes: bytes))
            } else {
                guard let text = String(validating: bytes.readableBytesView, as: UTF8.self) else {
                    throw .malformed("a field that is not UTF-8")
                }
                self.fields[head.name] = text
            }
        }
    }
}
