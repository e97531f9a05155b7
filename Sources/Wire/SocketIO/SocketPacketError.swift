/// Why a text, or an attachment, is no acceptable Socket.IO packet. Each of them ends the whole session
/// (SOCKETIO §10.3), with `parseError`.
package enum SocketPacketError: Error, CaseIterable, Sendable {
    case empty
    case unknownType
    /// None, or malformed.
    case attachmentCount
    case tooManyAttachments
    case namespaceTooLong
    case ackID
    case missingAckID
    case missingPayload
    case unexpectedPayload
    case malformedJSON
    case nestingTooDeep
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
