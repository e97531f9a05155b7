import NIOCore
import Wire

/// A document from the database: checked, walked with every getter, written again field by field.
enum BSONTarget {
    static func run(_ bytes: UnsafeRawBufferPointer) throws(Finding) {
        let document: BSONDocument
        do { document = try BSONDocument(ByteBuffer(bytes: bytes)) } catch {
            try Finding.check((0...bytes.count + 4).contains(error.offset), "an error lies in the document: \(error)")
            return
        }
        try self.walk(document, depth: 0)
    }

    private static func walk(_ document: BSONDocument, depth: Int) throws(Finding) {
        try Finding.check(depth <= BSONDocument.maximumDepth, "nesting is bounded")
        var writer = BSONWriter()
        var namesAreUTF8 = true
        for element in document {
            _ = (element.string, element.int64, element.int, element.double, element.bool, element.isTrue)
            _ = (element.date, element.timestamp, element.binary, element.isNull)
            let name = element.name
            namesAreUTF8 = namesAreUTF8 && !name.unicodeScalars.contains("\u{FFFD}")
            if let nested = element.document ?? element.array { try self.walk(nested, depth: depth + 1) }
            try Finding.check(!namesAreUTF8 || document[name] != nil, "a field is found by its name")
            writer.append(name, element)
        }
        guard namesAreUTF8 else { return }
        try Finding.check(writer.finish() == document.bytes, "no byte of a checked document is left out")
    }
}
