/// A place in a trace: the `traceparent` of W3C Trace Context, level 1.
///
/// Whatever version it was read from, it is written in version 00 and with no flag but `sampled`, as the recommendation
/// has it: what others mean is not known here.
package struct TraceParent: Sendable, Hashable {
    /// Bytes of version 00.
    package static let length = 55
    /// Bytes that are read: versions to come may have more.
    package static let longest = 128
    private static let dash = UInt8(ascii: "-")

    private let high: UInt64
    private let low: UInt64
    private let span: UInt64
    /// The caller records its trace, and so its events are traced.
    package let isSampled: Bool

    private init(high: UInt64, low: UInt64, span: UInt64, isSampled: Bool) {
        self.high = high
        self.low = low
        self.span = span
        self.isSampled = isSampled
    }

    /// - Returns: nil for what is not of that form: it is ignored then.
    package init?(_ text: some StringProtocol) {
        let bytes = Array(text.utf8.prefix(Self.longest + 1))
        guard (Self.length...Self.longest).contains(bytes.count),
            bytes[2] == Self.dash, bytes[35] == Self.dash, bytes[52] == Self.dash,
            let version = Self.number(bytes[0..<2]), version != 0xFF,
            bytes.count == Self.length || (version != 0 && bytes[Self.length] == Self.dash),
            let high = Self.number(bytes[3..<19]), let low = Self.number(bytes[19..<35]), high | low != 0,
            let span = Self.number(bytes[36..<52]), span != 0, let flags = Self.number(bytes[53..<55])
        else { return nil }
        self.init(high: high, low: low, span: span, isSampled: flags & 1 == 1)
    }

    /// The beginning of a trace that is recorded.
    /// - Returns: nil for 0, which names no trace.
    package static func root(of trace: UInt128) -> TraceParent? {
        guard trace != 0 else { return nil }
        return TraceParent(
            high: UInt64(trace >> 64), low: UInt64(truncatingIfNeeded: trace), span: self.randomSpan, isSampled: true)
    }

    /// Another place in the same trace.
    func moved(to span: UInt64) -> TraceParent {
        TraceParent(high: self.high, low: self.low, span: span, isSampled: self.isSampled)
    }

    static var randomSpan: UInt64 { .random(in: 1 ... .max) }

    package var text: String { "00-\(self.traceID)-\(self.spanID)-\(self.flags)" }

    /// 32 hexadecimal digits.
    package var traceID: String { Self.digits(self.high) + Self.digits(self.low) }
    /// 16 hexadecimal digits.
    package var spanID: String { Self.digits(self.span) }
    package var flags: String { self.isSampled ? "01" : "00" }
    var spanNumber: UInt64 { self.span }

    private static func digits(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }

    /// Up to 16 hexadecimal digits in lower case.
    private static func number(_ digits: ArraySlice<UInt8>) -> UInt64? {
        var number: UInt64 = 0
        for digit in digits {
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): number = number << 4 | UInt64(digit - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): number = number << 4 | UInt64(digit - UInt8(ascii: "a") + 10)
            default: return nil
            }
        }
        return number
    }
}
