package import NIOCore

/// Takes a `multipart/form-data` body apart as it comes (RFC 7578, RFC 2046 §5.1), however it is cut. Keeps no more of it
/// than the header of a part, or what may be the beginning of a delimiter.
package struct MultipartParser: Sendable {
    package enum Event: Sendable, Equatable {
        /// A part begins.
        case part(MultipartHead)
        /// More of its content; never empty.
        case bytes(ByteBuffer)
        case partEnded
    }

    private enum State {
        /// What stands before the first delimiter says nothing.
        case preamble
        /// Behind the boundary of a delimiter: the end of its line, or the two dashes of the last one.
        case delimiter
        case header
        case content
        /// What stands behind the last delimiter says nothing.
        case epilogue
    }

    private let delimiter: [UInt8]
    private let limits: MultipartLimits
    private var state = State.preamble
    /// The first delimiter needs no line break before it, so one is put there.
    private var pending = ByteBuffer(string: "\r\n")
    /// Where the search for the end of a header goes on, in bytes from its beginning.
    private var searched = 0
    private var fields = 0
    private var files = 0

    package init(boundary: MultipartBoundary, limits: MultipartLimits = MultipartLimits()) {
        self.delimiter = Array("\r\n--\(boundary.text)".utf8)
        self.limits = limits
    }

    /// Hands over the next bytes of the body. Call ``next()`` until it has no more.
    package mutating func feed(_ bytes: ByteBuffer) {
        if self.pending.readableBytes == 0 {
            self.pending = bytes
        } else {
            self.pending.discardReadBytes()
            self.pending.writeImmutableBuffer(bytes)
        }
    }

    /// - Returns: nil where more bytes are needed.
    package mutating func next() throws(MultipartError) -> Event? {
        while true {
            switch self.state {
            case .preamble:
                guard self.skipToDelimiter() else { return nil }
                self.state = .delimiter
            case .delimiter:
                guard let isLast = try self.endOfDelimiter() else { return nil }
                self.state = isLast ? .epilogue : .header
            case .header:
                guard let head = try self.header() else { return nil }
                self.state = .content
                return .part(head)
            case .content:
                let (length, isEnd) = self.contentLength()
                if length > 0 { return self.pending.readSlice(length: length).map(Event.bytes) }
                guard isEnd else { return nil }
                self.pending.moveReaderIndex(forwardBy: self.delimiter.count)
                self.state = .delimiter
                return .partEnded
            case .epilogue:
                self.pending.moveReaderIndex(to: self.pending.writerIndex)
                return nil
            }
        }
    }

    /// The body is at its end, and every event was taken.
    package func finish() throws(MultipartError) {
        guard case .epilogue = self.state else { throw .malformed("the last boundary is missing") }
    }

    private mutating func skipToDelimiter() -> Bool {
        let (length, isDelimiter) = self.contentLength()
        self.pending.moveReaderIndex(forwardBy: length)
        if isDelimiter { self.pending.moveReaderIndex(forwardBy: self.delimiter.count) }
        return isDelimiter
    }

    /// How many bytes come before the delimiter, or before what may become one. Linear: a delimiter has one CR only, so no
    /// byte is compared twice from the same place.
    private func contentLength() -> (Int, isDelimiter: Bool) {
        self.pending.withUnsafeReadableBytes { bytes in
            var start = 0
            while let mark = bytes[start...].firstIndex(of: 0x0D) {
                let available = min(bytes.count - mark, self.delimiter.count)
                if bytes[mark..<(mark + available)].elementsEqual(self.delimiter.prefix(available)) {
                    return (mark, available == self.delimiter.count)
                }
                start = mark + 1
            }
            return (bytes.count, false)
        }
    }

    /// - Returns: whether that was the last delimiter; nil where more bytes are needed.
    private mutating func endOfDelimiter() throws(MultipartError) -> Bool? {
        let view = self.pending.readableBytesView
        let padding = view.prefix { $0 == 0x20 || $0 == 0x09 }.count
        guard padding <= self.limits.headerBytes else { throw .headerTooLarge }
        let rest = view.dropFirst(padding).prefix(2)
        if padding == 0, rest.elementsEqual("--".utf8) {
            self.pending.moveReaderIndex(forwardBy: 2)
            return true
        }
        if rest.elementsEqual([0x0D, 0x0A]) {
            self.pending.moveReaderIndex(forwardBy: padding + 2)
            return false
        }
        guard rest.count < 2, rest.first.map({ $0 == 0x0D || $0 == UInt8(ascii: "-") && padding == 0 }) ?? true else {
            throw .malformed("a boundary is followed by something else")
        }
        return nil
    }

    private mutating func header() throws(MultipartError) -> MultipartHead? {
        guard let length = self.headerLength() else {
            guard self.pending.readableBytes <= self.limits.headerBytes else { throw .headerTooLarge }
            self.searched = max(self.pending.readableBytes - 3, 0)
            return nil
        }
        self.searched = 0
        guard length <= self.limits.headerBytes else { throw .headerTooLarge }
        let head = try MultipartHead(Array(self.pending.readableBytesView.prefix(length - 2))[...], limits: self.limits)
        self.pending.moveReaderIndex(forwardBy: length)
        if head.filename == nil { self.fields += 1 } else { self.files += 1 }
        guard self.fields <= self.limits.fields else { throw .tooManyFields }
        guard self.files <= self.limits.files else { throw .tooManyFiles }
        return head
    }

    /// Up to and including the blank line; nil where it has not come.
    private func headerLength() -> Int? {
        self.pending.withUnsafeReadableBytes { bytes in
            if bytes.count >= 2, bytes[0] == 0x0D, bytes[1] == 0x0A { return 2 }
            var index = self.searched
            while index + 4 <= bytes.count {
                if bytes[index] == 0x0D, bytes[index + 1] == 0x0A, bytes[index + 2] == 0x0D, bytes[index + 3] == 0x0A {
                    return index + 4
                }
                index += 1
            }
            return nil
        }
    }
}
