import NIOCore
import Routing
import Wire

/// Entries of the recovery log as they are stored: `{_id, fv, k, f, n, v, c?, s?, h?, t, b?, g?, x?}`: route key (`*` for
/// none), stream, number, route version, client, socket, hole, time, packet, rooms and excepted rooms of a broadcast.
enum RecoveryCodec {
    /// Of entries that concern every key; no route key, as it has no slash.
    static let everyKey = "*"
    /// The first document of a log: as long as it is there, nothing has been overwritten.
    static let genesis = "genesis"

    static func write(_ entry: RecoveryEntry, into writer: inout BSONWriter) throws(EnvelopeError) {
        writer.append("_id", self.identifier(of: entry))
        writer.append("fv", DocumentFormat.version)
        writer.append("k", entry.key?.text ?? self.everyKey)
        writer.append("f", entry.mark.stream.code)
        writer.append("n", entry.mark.number)
        writer.append("v", entry.version)
        writer.append("c", ifPresent: entry.client)
        writer.append("s", ifPresent: entry.socket?.text)
        writer.append("t", BSONDate(milliseconds: entry.time))
        self.write(entry.target.rooms, as: "g", into: &writer)
        self.write(entry.target.except, as: "x", into: &writer)
        switch entry.content {
        case .hole:
            writer.append("h", true)
        case .event(let packet):
            // The form that crosses the bus: text and attachments.
            let payload = EventPayload(client: nil, packet: packet.text, attachments: packet.attachments)
            writer.append("b", BSONBinary(try payload.encode()))
        }
    }

    private static func write(_ rooms: [String], as name: String, into writer: inout BSONWriter) {
        guard !rooms.isEmpty else { return }
        writer.array(name) { array in
            for room in rooms { array.element(room) }
        }
    }

    private static func rooms(_ name: String, _ document: BSONDocument) throws(DocumentError) -> [String] {
        guard let array = try document.optional(name, { $0.array }) else { return [] }
        var rooms: [String] = []
        for element in array {
            guard let room = element.string else { throw DocumentError("\(name) holds no string") }
            rooms.append(room)
        }
        return rooms
    }

    /// An entry that is inserted again meets itself.
    private static func identifier(of entry: RecoveryEntry) -> BSONBinary {
        var bytes = ByteBufferAllocator().buffer(capacity: 17)
        bytes.writeInteger(entry.mark.stream.code)
        bytes.writeInteger(entry.mark.number)
        bytes.writeInteger(entry.content == .hole ? 1 : 0, as: UInt8.self)
        return BSONBinary(bytes)
    }

    static func decode(_ document: BSONDocument) throws(DocumentError) -> RecoveryEntry {
        try document.checkFormat()
        let name = try document.require("k") { $0.string }
        let key = RouteKey(name)
        guard key != nil || name == self.everyKey else { throw DocumentError("field k is no route key") }
        let stream = try document.require("f") { $0.int64.flatMap { RecoveryStream(code: $0) } }
        let number = try document.require("n") { $0.int64 }
        guard number > 0, number < RecoveryMark.numberLimit else { throw DocumentError("field n is out of range") }
        return RecoveryEntry(
            key: key, mark: RecoveryMark(stream: stream, number: number),
            version: try document.require("v") { $0.int64 },
            client: try document.optional("c") { $0.string },
            socket: try document.optional("s") { $0.string.flatMap { SocketID($0) } },
            time: try document.require("t") { $0.date },
            content: try self.content(document),
            target: RoomTarget(rooms: try self.rooms("g", document), except: try self.rooms("x", document)))
    }

    private static func content(_ document: BSONDocument) throws(DocumentError) -> RecoveryEntry.Content {
        if try document.optional("h", { $0.bool }) == true { return .hole }
        do throws(EnvelopeError) {
            let payload = try EventPayload.decode(try document.requireBinary("b"))
            return .event(OutboundPacket(text: payload.packet, attachments: payload.attachments))
        } catch {
            throw DocumentError("field b is no packet: \(error)")
        }
    }
}

extension BSONDocument {
    fileprivate func requireBinary(_ name: String) throws(EnvelopeError) -> ByteBuffer {
        guard let bytes = self[name]?.binary else { throw .missingField(name) }
        return bytes
    }
}
