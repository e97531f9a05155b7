import NIOCore
import Routing
import Wire

/// A question to all other nodes about themselves. It travels as a server-side event of a scope that no application can have,
/// so that one message for each node asks it, and nodes that are gone are not waited for (SOCKETIO §13). A node of an older
/// version says that it knows no such event.
struct ClusterInquiry: Sendable {
    enum Topic: String, CaseIterable, Sendable {
        /// ``NodeFigures``.
        case figures
        /// ``AuditPage``.
        case audit
    }

    /// Applications' namespaces start with a slash, and their domains are not empty.
    static let scope = RoomScope(domain: "", namespace: "submergence")
    /// How long others are waited for.
    static let patience = Duration.seconds(2)
    /// Bytes of one node's answer; one that is larger is malformed.
    static let largest = 1 << 20

    let node: ClusterNode

    /// Asks, and reads the answers.
    /// - Parameter query: JSON.
    /// - Returns: those that have the form of `Answer`; who has not answered is not among them.
    /// - Throws: as many requests to other nodes are under way as may be.
    func ask<Answer: Decodable>(
        _ topic: Topic, _ query: JSONValue = [:], as type: Answer.Type
    ) async throws(ClusterRequests.Full) -> [Answer] {
        var arguments = ByteBuffer()
        query.write(to: &arguments)
        let replies = try await self.node.rooms.emitServerSideWithAck(
            topic.rawValue, arguments, in: Self.scope, timeout: Self.patience)
        return replies.items.compactMap { item in
            guard item.text.readableBytes <= Self.largest, let value = try? JSONValue(text: item.text) else {
                return nil
            }
            return try? value.decoded(as: type)
        }
    }

    /// One answer as it is sent back.
    static func encode(_ answer: some Encodable) -> ByteBuffer? {
        guard let value = try? JSONValue(encoding: answer) else { return nil }
        var text = ByteBuffer()
        value.write(to: &text)
        return text.readableBytes <= Self.largest ? text : nil
    }
}
