import Wire

/// Reads what a server acknowledges `pub` with.
enum ReceiptReader {
    /// - Parameter arguments: the JSON array of the ack.
    /// - Returns: what the publisher may count on. A server of another make that acknowledges with something else than a
    ///   receipt has taken the event over.
    static func fate(of arguments: UnsafeRawBufferPointer) -> PublishLog.Fate {
        var elements = JSONArrayReader(arguments)
        guard let first = elements.next(), arguments[first.lowerBound] == UInt8(ascii: "{") else { return .promised }
        let receipt = UnsafeRawBufferPointer(rebasing: arguments[first])
        var didReceive: Bool?
        var isStored = false
        var members = JSONObjectReader(receipt)
        while let member = members.next() {
            let key = UnsafeRawBufferPointer(rebasing: receipt[member.key])
            let value = UnsafeRawBufferPointer(rebasing: receipt[member.value])
            if key.elementsEqual("error".utf8) { return .incomplete }
            if key.elementsEqual("isComplete".utf8), !self.isPositive(value) { return .incomplete }
            if key.elementsEqual("didReceive".utf8) { didReceive = self.isPositive(value) }
            if key.elementsEqual("stored".utf8) { isStored = self.isPositive(value) }
        }
        return isStored || didReceive ?? true ? .promised : .absent
    }

    /// `true`, or a count of one or more.
    private static func isPositive(_ value: UnsafeRawBufferPointer) -> Bool {
        if value.elementsEqual("true".utf8) { return true }
        return Int(String(decoding: value, as: UTF8.self)).map { $0 > 0 } ?? false
    }
}
