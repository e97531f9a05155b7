import Wire

/// What becomes of an event for a connection that does not keep up (SPEC EV-4).
public enum EventDelivery: Sendable, Hashable {
    /// It arrives, or the connection is closed as a slow consumer.
    case required
    /// It is dropped where the transport cannot take it right now.
    case volatile
    /// Where the transport cannot take it right now, it waits, and gives way to a newer event of the same key.
    case latest(String)

    var mode: Delivery {
        switch self {
        case .required: .required
        case .volatile: .volatile
        case .latest(let key): .latest(key: key)
        }
    }
}
