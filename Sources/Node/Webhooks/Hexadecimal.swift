/// Bytes as hexadecimal digits.
enum Hexadecimal {
    static func text(_ byte: UInt8) -> String { (byte < 16 ? "0" : "") + String(byte, radix: 16) }
}
