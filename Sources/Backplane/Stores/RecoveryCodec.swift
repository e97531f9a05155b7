import NIOCore
import Routing
import Wire

/// A sheet of the recovery log as it is stored: `{_id, fv, k, f, n, v, t, g?, x?, e}`: route keys (`*` for none), stream, the
/// highest number, version and time in it, rooms and excepted rooms of a broadcast, entries. Each entry is `{k, n, v, c?, s?,
/// t, h?, b?}`: route key, number, route version, client, socket, time, whether it is a hole, packet.
enum RecoveryCodec {
    /// `fv` of a sheet is one more than the format: 1 had one entry in each document.
    private static let shift = 1
    /// Of entries that concern every key; no route key, as it has no slash.
    static let everyKey = "*"
    /// The first document of a log: as long as it is there, nothing has been overwritten.
    static let genesis = "genesis"

    static func write(_ sheet: RecoverySheet, _ formats: Formats, into writer: inout BSONWriter) throws(EnvelopeError) {
        // Random: what is sent again is the same bytes, and meets itself; readers drop what comes twice otherwise.
        var identifier = ByteBufferAllocator().buffer(capacity: 16)
        var generator = SystemRandomNumberGenerator()
        identifier.writeInteger(generator.next())
        identifier.writeInteger(generator.next())
        writer.append("_id", BSONBinary(identifier))
        writer.append("fv", Int32(formats.written + self.shift))
        writer.array("k") { array in
            for key in sheet.keys { array.element(key?.text ?? self.everyKey) }
        }
        writer.append("f", sheet.stream.code)
        writer.append("n", sheet.number)
        writer.append("v", sheet.version)
        writer.append("t", BSONDate(milliseconds: sheet.time))
        self.write(sheet.target.rooms, as: "g", into: &writer)
        self.write(sheet.target.except, as: "x", into: &writer)
        try writer.array("e") { entries throws(EnvelopeError) in
            for entry in sheet.entries {
                try entries.documentElement { document throws(EnvelopeError) in
                    try self.write(entry, into: &document)
                }
            }
        }
    }

    private static func write(_ entry: RecoveryEntry, into writer: inout BSONWriter) throws(EnvelopeError) {
        writer.append("k", entry.key?.text ?? self.everyKey)
        writer.append("n", entry.mark.number)
        writer.append("v", entry.version)
        writer.append("c", ifPresent: entry.client)
        writer.append("s", ifPresent: entry.socket?.text)
        writer.append("t", BSONDate(milliseconds: entry.time))
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

    /// The entries of a sheet, or those that the reader has asked for.
    static func decode(_ document: BSONDocument, _ formats: Formats) throws(DocumentError) -> [RecoveryEntry] {
        let format = try document.require("fv") { $0.int64 } - Int64(self.shift)
        guard let known = Int(exactly: format), formats.reads(known) else {
            throw DocumentError(unknown: format, formats)
        }
        let stream = try document.require("f") { $0.int64.flatMap { RecoveryStream(code: $0) } }
        let target = RoomTarget(rooms: try self.rooms("g", document), except: try self.rooms("x", document))
        var entries: [RecoveryEntry] = []
        for element in try document.require("e", { $0.array }) {
            guard let entry = element.document else { throw DocumentError("field e holds no document") }
            entries.append(try self.decode(entry, stream, target))
        }
        return entries
    }

    private static func decode(
        _ document: BSONDocument, _ stream: RecoveryStream, _ target: RoomTarget
    ) throws(DocumentError) -> RecoveryEntry {
        let name = try document.require("k") { $0.string }
        let key = RouteKey(name)
        guard key != nil || name == self.everyKey else { throw DocumentError("field k is no route key") }
        let number = try document.require("n") { $0.int64 }
        guard number > 0, number < RecoveryMark.numberLimit else { throw DocumentError("field n is out of range") }
        return RecoveryEntry(
            key: key, mark: RecoveryMark(stream: stream, number: number),
            version: try document.require("v") { $0.int64 },
            client: try document.optional("c") { $0.string },
            socket: try document.optional("s") { $0.string.flatMap { SocketID($0) } },
            time: try document.require("t") { $0.date },
            content: try self.content(document), target: target)
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
