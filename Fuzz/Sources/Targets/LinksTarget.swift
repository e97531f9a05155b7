import NIOCore
import Node
import Wire

/// The arguments of a `link` and of a `peer` event (SPEC LK-4, LK-9): what is relayed is what was meant, and nothing else.
enum LinksTarget {
    private static let longestDescription = 64
    private static let limits = PeerPacket.Limits(description: Self.longestDescription, candidate: 48)
    private static let longestQuery = 32

    static func run(_ bytes: UnsafeRawBufferPointer) throws(Finding) {
        // Packets that are no JSON never come this far (SOCKETIO §10).
        let list = [UInt8(ascii: "[")] + Array(bytes) + [UInt8(ascii: "]")]
        guard list.withUnsafeBytes({ JSONScanner.isValid($0) }) else { return }
        try self.link(bytes)
        try self.peer(bytes)
    }

    private static func link(_ bytes: UnsafeRawBufferPointer) throws(Finding) {
        let id: MessageID?
        do throws(LinkPacket.Refusal) {
            id = try LinkPacket(bytes, hasAttachments: false, longestQuery: self.longestQuery).id
        } catch {
            id = error.id
        }
        // Each byte may have been written as an escape.
        let longest = 6 * MessageID.longest + 2
        try Finding.check(id.map { $0.json.readableBytes <= longest } ?? true, "an id is short")
        if (try? LinkPacket(bytes, hasAttachments: true, longestQuery: self.longestQuery)) != nil {
            throw Finding(description: "a request has no attachments")
        }
    }

    private static func peer(_ bytes: UnsafeRawBufferPointer) throws(Finding) {
        let packet: PeerPacket
        do throws(PeerPacket.Refusal) {
            packet = try PeerPacket(bytes, hasAttachments: false, limits: self.limits)
        } catch {
            for text in [error.token, error.to] {
                try Finding.check(text?.utf8.count ?? 0 <= 128, "what is echoed is short")
            }
            return
        }
        try Finding.check(packet.token.utf8.count <= 128 && packet.to.utf8.count <= 128, "names are short")
        guard let relayed = JSONValue(json: "{\(packet.content)}"), case .object(let members) = relayed else {
            throw Finding(description: "what is relayed is JSON")
        }
        try Finding.check(members.count == 1, "one member is relayed")
        if case .object(let description)? = members["sdp"] {
            try Finding.check(Set(description.keys) == ["type", "sdp"], "a description has no other members")
        } else {
            try Finding.check(members["bye"] == .bool(true) || members.keys.contains("ICE"), "nothing else is relayed")
        }
        try self.again(packet)
    }

    /// What was taken once is taken again, as it is relayed.
    private static func again(_ packet: PeerPacket) throws(Finding) {
        let (token, to) = (JSONValue.string(packet.token).text, JSONValue.string(packet.to).text)
        var text = ByteBuffer(string: "{\"token\":\(token),\"to\":\(to),\(packet.content)}")
        // Candidates are measured as they were written, and may be longer in another spelling.
        let wide = PeerPacket.Limits(description: self.longestDescription, candidate: .max)
        let second = text.readWithUnsafeReadableBytes { bytes in
            (bytes.count, try? PeerPacket(bytes, hasAttachments: false, limits: wide))
        }
        // Numbers have several spellings, and -0 becomes 0.
        let isSame = second.map { packet.content.hasPrefix("\"ICE\"") || $0.content == packet.content } ?? false
        try Finding.check(isSame, "what is relayed reads as itself")
    }
}
