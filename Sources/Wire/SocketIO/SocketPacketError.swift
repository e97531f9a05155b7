/// Why a text, or an attachment, is no acceptable Socket.IO packet. Each of them ends the whole session
/// (SOCKETIO §10.3), with `parseError`.
package enum SocketPacketError: Error, CaseIterable, Sendable {
    case empty
    case unknownType
    case attachmentCount
    case namespaceTooLong
    case ackID
    case missingAckID
    case missingPayload
    case unexpectedPayload
    case malformedJSON
    case wrongPayloadKind
    case eventName
    case reservedEventName
    case eventNameTooLong
    /// A placeholder whose number is no index of an attachment.
    case placeholder
    case unexpectedAttachment
    case textAmongAttachments
    case packetTooLarge
}
