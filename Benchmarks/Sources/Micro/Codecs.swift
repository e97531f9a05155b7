import NIOCore
import Wire

/// Socket.IO packets, JSON and BSON.
enum Codecs {
    static let event = Array(#"2417["echo",[17,4711,1234567890123,"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"]]"#.utf8)

    static func figures() -> [Figure] {
        var figures: [Figure] = []
        let options = SocketOptions()
        figures.append(
            Figure("parse an event with ack (70 B)") {
                self.event.withUnsafeBytes { text in
                    guard let packet = try? SocketPacketParser.parse(text, options: options) else { fatalError() }
                    precondition(packet.ackID == 417)
                }
            })
        let arguments = Array(#"[17,4711,1234567890123,"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"]"#.utf8)
        var buffer = ByteBuffer()
        buffer.reserveCapacity(1 << 16)
        figures.append(
            Figure("write an ack as a frame (64 B)") {
                buffer.clear()
                arguments.withUnsafeBytes { bytes in
                    var packet = SocketPacketText(.ack, arguments: bytes)
                    packet.ackID = 417
                    packet.writeFrame(into: &buffer)
                }
            })
        let element = #"{"name":"A name with an \u00e9 in it","value":-12.5e3,"flags":[true,false,null],"text":"abcdefghijklmnopqrstuvwxyz"},"#
        let document = Array(("[" + String(repeating: element, count: 9) + "0]").utf8)
        figures.append(
            Figure("validate JSON (\(document.count) B)") {
                document.withUnsafeBytes { precondition(JSONScanner.isValid($0)) }
            })
        let stored = self.document()
        figures.append(
            Figure("read BSON (12 fields)") {
                var fields = 0
                for _ in stored { fields += 1 }
                precondition(fields == 12)
            })
        figures.append(Figure("write BSON (12 fields)") { precondition(self.document().bytes.readableBytes > 100) })
        return figures
    }

    private static func document() -> BSONDocument {
        BSONDocument { writer in
            for index in 0..<6 {
                writer.append("number\(index)", Int64(index))
                writer.append("text\(index)", "a text of medium size")
            }
        }
    }
}
