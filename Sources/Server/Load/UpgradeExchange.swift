import NIOCore
import Wire

/// The client's half of a WebSocket opening handshake (RFC 6455 §4.1).
struct UpgradeExchange {
    enum Outcome: Equatable { case incomplete, accepted, refused(status: Int), malformed }

    private var accept = ""

    /// - Parameters:
    ///   - authority: for the Host header.
    ///   - requestTarget: path and query.
    ///   - seed: makes the key; that one key is unlike the other is all that matters here.
    mutating func request(authority: String, requestTarget: String, seed: UInt32) -> ByteBuffer {
        var key = ByteBuffer()
        withUnsafeBytes(of: (seed, ~seed, seed &* 31, seed &* 127)) { Base64.encode($0, into: &key) }
        let keyText = String(buffer: key)
        var handshake = WebSocketHandshake()
        handshake.note(name: "sec-websocket-key", value: keyText)
        var accept = ByteBuffer()
        handshake.writeAccept(into: &accept)
        self.accept = String(buffer: accept)
        return ByteBuffer(
            string: "GET \(requestTarget) HTTP/1.1\r\nHost: \(authority)\r\nUpgrade: websocket\r\n"
                + "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: \(keyText)\r\n\r\n")
    }

    /// - Parameter bytes: everything received so far; the head is taken off once it is whole.
    func response(_ bytes: inout ByteBuffer) -> Outcome {
        let (length, outcome) = bytes.withUnsafeReadableBytes { bytes in
            guard let end = Self.endOfHead(bytes) else { return (0, Outcome.incomplete) }
            return (end, self.judge(UnsafeRawBufferPointer(rebasing: bytes[..<end])))
        }
        bytes.moveReaderIndex(forwardBy: length)
        return outcome
    }

    private func judge(_ head: UnsafeRawBufferPointer) -> Outcome {
        var lines = head.split(separator: UInt8(ascii: "\n")).makeIterator()
        let words = lines.next().map(Self.trimmed)?.split(separator: UInt8(ascii: " ")) ?? []
        guard words.count >= 2, words[0].starts(with: "HTTP/1.".utf8),
            let status = Int(String(decoding: words[1], as: UTF8.self))
        else { return .malformed }
        guard status == 101 else { return .refused(status: status) }
        while let line = lines.next().map(Self.trimmed), !line.isEmpty {
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return .malformed }
            guard Self.equals(line[..<colon], "sec-websocket-accept") else { continue }
            let value = Self.trimmed(line[(colon + 1)...].drop { $0 == UInt8(ascii: " ") })
            return value.elementsEqual(self.accept.utf8) ? .accepted : .malformed
        }
        return .malformed
    }

    /// Without the blanks and the line's end behind it.
    private static func trimmed(_ line: Slice<UnsafeRawBufferPointer>) -> Slice<UnsafeRawBufferPointer> {
        var line = line
        while let last = line.last, last == UInt8(ascii: "\r") || last == UInt8(ascii: " ") { line.removeLast() }
        return line
    }

    private static func equals(_ name: Slice<UnsafeRawBufferPointer>, _ lowercased: String) -> Bool {
        name.count == lowercased.utf8.count
            && zip(name, lowercased.utf8).allSatisfy { ($0 &- UInt8(ascii: "A") < 26 ? $0 | 0x20 : $0) == $1 }
    }

    /// Behind the blank line.
    private static func endOfHead(_ bytes: UnsafeRawBufferPointer) -> Int? {
        var run = 0
        for (index, byte) in bytes.enumerated() {
            let expected = run % 2 == 0 ? UInt8(ascii: "\r") : UInt8(ascii: "\n")
            run = byte == expected ? run + 1 : byte == UInt8(ascii: "\r") ? 1 : 0
            if run == 4 { return index + 1 }
        }
        return nil
    }
}
