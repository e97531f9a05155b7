import Wire

extension BSONDocument {
    /// The named field in the form that `read` gives it.
    func require<Value>(
        _ name: String, _ read: (BSONElement) -> Value?
    ) throws(DocumentError) -> Value {
        guard let element = self[name] else { throw DocumentError("field \(name) is missing") }
        guard let value = read(element) else { throw DocumentError("field \(name) is of the wrong form") }
        return value
    }

    /// Nil where the field is absent or null.
    func optional<Value>(
        _ name: String, _ read: (BSONElement) -> Value?
    ) throws(DocumentError) -> Value? {
        guard let element = self[name], !element.isNull else { return nil }
        guard let value = read(element) else { throw DocumentError("field \(name) is of the wrong form") }
        return value
    }

    /// - Returns: the format in which the document is written, one that is read.
    @discardableResult
    func checkFormat(_ formats: Formats) throws(DocumentError) -> Int {
        let format = try self.require("fv") { $0.int64 }
        guard let known = Int(exactly: format), formats.reads(known) else {
            throw DocumentError(unknown: format, formats)
        }
        return known
    }
}
