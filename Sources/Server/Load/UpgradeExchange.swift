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
        let view = bytes.readableBytesView
        guard let end = Self.endOfHead(view) else { return .incomplete }
        let head = String(decoding: view[view.startIndex..<end], as: UTF8.self)
        bytes.moveReaderIndex(forwardBy: end - view.startIndex)
        var lines = head.split(separator: "\r\n").makeIterator()
        let words = lines.next()?.split(separator: " ") ?? []
        guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]) else { return .malformed }
        guard status == 101 else { return .refused(status: status) }
        while let line = lines.next() {
            guard let colon = line.firstIndex(of: ":") else { return .malformed }
            if line[..<colon].lowercased() == "sec-websocket-accept" {
                let value = line[line.index(after: colon)...].drop { $0 == " " }
                return value.prefix { $0 != " " } == self.accept ? .accepted : .malformed
            }
        }
        return .malformed
    }

    /// Behind the blank line.
    private static func endOfHead(_ view: ByteBufferView) -> Int? {
        var run = 0
        for index in view.indices {
            let expected = run % 2 == 0 ? UInt8(ascii: "\r") : UInt8(ascii: "\n")
            run = view[index] == expected ? run + 1 : view[index] == UInt8(ascii: "\r") ? 1 : 0
            if run == 4 { return index + 1 }
        }
        return nil
    }
}
