import Wire

/// The two arguments that a load client looks at: the first and the last one of an event.
struct ArgumentReader {
    /// Nil for an event without arguments.
    private(set) var first: Range<Int>?
    private(set) var last: Range<Int>?

    /// - Parameter payload: the JSON array of an event, valid; ranges are offsets into it.
    init(event payload: UnsafeRawBufferPointer) {
        var reader = JSONArrayReader(payload)
        guard reader.next() != nil else { return }
        while let element = reader.next() {
            if self.first == nil { self.first = element }
            self.last = element
        }
    }

    /// - Parameter json: one JSON value.
    /// - Returns: its value if it is a string.
    static func string(_ json: UnsafeRawBufferPointer) -> String? {
        guard json.count >= 2, json[0] == UInt8(ascii: "\"") else { return nil }
        return JSONString.decode(UnsafeRawBufferPointer(rebasing: json[1..<(json.count - 1)]))
    }
}
