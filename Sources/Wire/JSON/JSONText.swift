package import NIOCore

extension ByteBuffer {
    /// Appends a JSON string, quotes included. Escapes control characters, `"` and `\`, nothing else (SOCKETIO §10.4).
    package mutating func writeJSONString(_ value: String) {
        var value = value
        value.withUTF8 { self.writeJSONString(utf8: UnsafeRawBufferPointer($0)) }
    }

    /// Appends a JSON string of bytes that are known to be UTF-8.
    package mutating func writeJSONString(utf8 bytes: UnsafeRawBufferPointer) {
        self.reserveCapacity(minimumWritableBytes: bytes.count + 2)
        self.writeInteger(UInt8(ascii: "\""))
        var start = 0
        for index in 0..<bytes.count {
            let byte = bytes[index]
            guard byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") else { continue }
            self.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[start..<index]))
            start = index + 1
            self.writeInteger(UInt8(ascii: "\\"))
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): self.writeInteger(byte)
            case 0x08: self.writeInteger(UInt8(ascii: "b"))
            case 0x09: self.writeInteger(UInt8(ascii: "t"))
            case 0x0A: self.writeInteger(UInt8(ascii: "n"))
            case 0x0C: self.writeInteger(UInt8(ascii: "f"))
            case 0x0D: self.writeInteger(UInt8(ascii: "r"))
            default:
                self.writeStaticString("u00")
                self.writeInteger(UInt8(ascii: "0") + (byte >> 4))
                let low = byte & 0x0F
                self.writeInteger(low < 10 ? UInt8(ascii: "0") + low : UInt8(ascii: "a") + low - 10)
            }
        }
        self.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[start...]))
        self.writeInteger(UInt8(ascii: "\""))
    }

    /// Appends decimal digits without making a string.
    package mutating func writeDecimal(_ value: UInt64) {
        self.writeWithUnsafeMutableBytes(minimumWritableBytes: 20) { target in
            var count = 1
            var power: UInt64 = 10
            while count < 20, value >= power {
                count += 1
                guard count < 20 else { break }
                power *= 10
            }
            var rest = value
            for index in stride(from: count - 1, through: 0, by: -1) {
                target[index] = UInt8(ascii: "0") + UInt8(rest % 10)
                rest /= 10
            }
            return count
        }
    }
}
