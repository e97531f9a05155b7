import NIOCore
import Node

/// A `multipart/form-data` body, whole and in pieces (SPEC AC-5): the pieces must not matter. The first byte is the boundary's
/// length, the second chooses the pieces.
enum MultipartTarget {
    private static let limits = MultipartLimits(headerBytes: 200, fields: 4, files: 2, nameBytes: 16, filenameBytes: 24)

    /// What a body says, its pieces put together.
    private struct Reading: Equatable {
        var parts: [(head: MultipartHead, bytes: [UInt8], isWhole: Bool)] = []
        var error: MultipartError?

        static func == (one: Reading, other: Reading) -> Bool {
            // Bytes of a part that was never ended may be held back.
            one.error == other.error && one.parts.count == other.parts.count
                && zip(one.parts, other.parts).allSatisfy {
                    $0.head == $1.head && $0.isWhole == $1.isWhole && (!$0.isWhole || $0.bytes == $1.bytes)
                }
        }
    }

    static func run(_ bytes: UnsafeRawBufferPointer) throws(Finding) {
        var commands = CommandBytes(bytes)
        let length = Int(commands.byte() % 8) + 1
        let step = Int(commands.byte())
        let body = Array(commands.rest())
        guard let boundary = MultipartBoundary(String(repeating: "x", count: length)) else {
            throw Finding(description: "a boundary of letters is one")
        }
        let whole = self.read(body, boundary) { _ in body.count }
        var state = UInt32(step) &* 2_654_435_761 &+ 1
        let cut = self.read(body, boundary) { _ in
            guard step > 0 else { return 1 }
            state = state &* 1_664_525 &+ 1_013_904_223
            return Int(state >> 16) % (step + 1) + 1
        }
        try Finding.check(whole == cut, "the pieces of a body do not matter")
        let files = whole.parts.count { $0.head.filename != nil }
        try Finding.check(files <= self.limits.files, "files are bounded")
        try Finding.check(whole.parts.count - files <= self.limits.fields, "fields are bounded")
        for part in whole.parts {
            try Finding.check(part.head.name.utf8.count <= self.limits.nameBytes, "names are bounded")
            for text in [part.head.name, part.head.filename ?? ""] {
                try Finding.check(
                    text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }, "names have no control characters")
            }
            try Finding.check(part.head.filename?.contains("/") != true, "a file's name has no folders")
            try Finding.check(part.bytes.count <= body.count, "content is not made up")
        }
        // The value of a header field, whatever the boundary.
        _ = MultipartBoundary(contentType: String(decoding: body.prefix(200), as: UTF8.self))
    }

    private static func read(
        _ body: [UInt8], _ boundary: MultipartBoundary, _ size: (Int) -> Int
    ) -> Reading {
        var parser = MultipartParser(boundary: boundary, limits: self.limits)
        var reading = Reading()
        var position = 0
        do throws(MultipartError) {
            while position < body.count {
                let end = min(body.count, position + max(size(position), 1))
                parser.feed(ByteBuffer(bytes: body[position..<end]))
                position = end
                while let event = try parser.next() {
                    switch event {
                    case .part(let head): reading.parts.append((head, [], false))
                    case .bytes(let bytes): reading.parts[reading.parts.count - 1].bytes += bytes.readableBytesView
                    case .partEnded: reading.parts[reading.parts.count - 1].isWhole = true
                    }
                }
            }
            try parser.finish()
        } catch {
            reading.error = error
        }
        return reading
    }
}
