import Routing
import Wire

/// The limits that a client can hit, by the name that `submergence_limits_hit_total` has for them (docs/operations.md,
/// "Limits").
enum Limit: String, CaseIterable {
    case target, head
    case firstByteTime = "first_byte_time"
    case headTime = "head_time"
    case bodyTime = "body_time"
    case idleTime = "idle_time"
    case payload, packets, fragments, attachments
    case packetBytes = "packet_bytes"
    case attachmentTime = "attachment_time"
    case namespaceName = "namespace_name"
    case namespaces
    case dynamicNamespaces = "dynamic_namespaces"
    case eventName = "event_name"
    case ackID = "ack_id"
    case depth, auth
    case pendingAcks = "pending_acks"
    case rooms
    case roomName = "room_name"
    case unsent
    case connectTime = "connect_time"
    case upgradeTime = "upgrade_time"
    case sessions
    case connectWindow = "connect_window"
    case acceptRate = "accept_rate"
    case addressSockets = "address_sockets"
    case addressUnjoined = "address_unjoined"
    case addressHandshakes = "address_handshakes"
    case addresses
    case events, actions, links, peers
    case pendingLinks = "pending_links"
    case linksPerUser = "links_per_user"
    case query, description, candidate
    case waitingSignals = "waiting_signals"
    case waitingActions = "waiting_actions"
    case reply, streams
    case streamStall = "stream_stall"
    case tenfoldRate = "tenfold_rate"
    case body
    case bodyFiles = "body_files"
    case partHeader = "part_header"
    case formFields = "form_fields"
    case formFiles = "form_files"
    case formNames = "form_names"
    case stallTime = "stall_time"
    case addressActions = "address_actions"

    /// The limit that a packet has hit; nil where it is wrong in another way.
    init?(_ fault: SocketPacketError) {
        switch fault {
        case .tooManyAttachments: self = .attachments
        case .namespaceTooLong: self = .namespaceName
        case .ackID: self = .ackID
        case .nestingTooDeep: self = .depth
        case .eventNameTooLong: self = .eventName
        case .packetTooLarge: self = .packetBytes
        case .empty, .unknownType, .attachmentCount, .missingAckID, .missingPayload, .unexpectedPayload,
            .malformedJSON, .wrongPayloadKind, .eventName, .reservedEventName, .placeholder, .unexpectedAttachment,
            .textAmongAttachments:
            return nil
        }
    }

    init?(_ refusal: ConnectRefusal) {
        switch refusal {
        case .tooManyNamespaces: self = .namespaces
        case .authTooLarge: self = .auth
        case .invalidNamespace: return nil
        }
    }

    init(_ refusal: RoomTable.JoinRefusal) {
        switch refusal {
        case .tooManyRooms: self = .rooms
        case .nameLength: self = .roomName
        }
    }

    init(_ kind: SocketRates.Kind) {
        switch kind {
        case .event: self = .events
        case .action: self = .actions
        case .link: self = .links
        case .peer: self = .peers
        }
    }
}
