import NIOCore
import Wire

/// The payload of published events: `[stream, number, due, "padding"]`. Its last member is no string argument of the
/// event, so that a recovery offset is never mistaken (SOCKETIO §14.1).
struct LoadPayload: Equatable, Sendable {
    /// The publisher's connection.
    var stream: Int
    /// The event's number within that stream, for its user.
    var number: Int
    /// When it was due to be sent, microseconds since the run's origin.
    var due: UInt64

    func write(padding: Int, into buffer: inout ByteBuffer) {
        buffer.writeInteger(UInt8(ascii: "["))
        buffer.writeDecimal(UInt64(self.stream))
        buffer.writeInteger(UInt8(ascii: ","))
        buffer.writeDecimal(UInt64(self.number))
        buffer.writeInteger(UInt8(ascii: ","))
        buffer.writeDecimal(self.due)
        buffer.writeStaticString(",\"")
        buffer.writeRepeatingByte(UInt8(ascii: "x"), count: padding)
        buffer.writeStaticString("\"]")
    }

    init(stream: Int, number: Int, due: UInt64) {
        self.stream = stream
        self.number = number
        self.due = due
    }

    /// - Parameter json: valid JSON. Nil for a payload that is not ours.
    init?(_ json: UnsafeRawBufferPointer) {
        var position = 0
        guard Self.skip(UInt8(ascii: "["), in: json, at: &position), let stream = Self.number(in: json, at: &position),
            Self.skip(UInt8(ascii: ","), in: json, at: &position), let number = Self.number(in: json, at: &position),
            Self.skip(UInt8(ascii: ","), in: json, at: &position), let due = Self.number(in: json, at: &position),
            stream <= UInt32.max, number <= UInt32.max
        else { return nil }
        self.init(stream: Int(stream), number: Int(number), due: due)
    }

    /// White space around it goes too: another server may write its JSON anew.
    private static func skip(_ byte: UInt8, in json: UnsafeRawBufferPointer, at position: inout Int) -> Bool {
        while position < json.count, json[position] == UInt8(ascii: " ") { position += 1 }
        guard position < json.count, json[position] == byte else { return false }
        position += 1
        while position < json.count, json[position] == UInt8(ascii: " ") { position += 1 }
        return true
    }

    private static func number(in json: UnsafeRawBufferPointer, at position: inout Int) -> UInt64? {
        let start = position
        var value: UInt64 = 0
        while position < json.count, json[position] &- UInt8(ascii: "0") < 10 {
            let (product, overflows) = value.multipliedReportingOverflow(by: 10)
            let (sum, overflowsToo) = product.addingReportingOverflow(UInt64(json[position] - UInt8(ascii: "0")))
            guard !overflows, !overflowsToo else { return nil }
            value = sum
            position += 1
        }
        return position > start ? value : nil
    }
}
