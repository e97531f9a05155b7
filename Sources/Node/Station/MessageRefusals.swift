import Logging
import Metrics
import Wire

/// Counts and logs messages of other nodes that are not read (SPEC ND-6, OP-4).
struct MessageRefusals: Sendable {
    private static let kinds: [BusMessage.Kind] = [.event, .room, .ack, .kick, .invalidate, .config]

    private let malformed = Counter(label: "submergence_bus_messages_malformed_total")
    /// Of payloads; those of whole envelopes are counted where these are read.
    private let unknownFormat = Dictionary(
        uniqueKeysWithValues: Self.kinds.map { kind in
            (kind, Counter(label: "submergence_unknown_format_total", dimensions: [("kind", "\(kind)")]))
        })

    func count(_ error: EnvelopeError, in kind: BusMessage.Kind, _ logger: Logger) {
        if case .unknownVersion(let format) = error {
            self.count(format, in: kind, logger)
        } else {
            self.count("\(error)", in: kind, logger)
        }
    }

    func count(_ error: PeerMessageError, in kind: BusMessage.Kind, _ logger: Logger) {
        if case .unknownVersion(let format) = error {
            self.count(format, in: kind, logger)
        } else {
            self.count("\(error)", in: kind, logger)
        }
    }

    func countNoKey() { self.malformed.increment() }

    private func count(_ format: UInt8, in kind: BusMessage.Kind, _ logger: Logger) {
        self.unknownFormat[kind]?.increment()
        logger.error(
            "a message of the bus was refused",
            metadata: ["kind": "\(kind)", "error": "\(Formats.current.refusal(of: Int64(format)))"])
    }

    private func count(_ error: String, in kind: BusMessage.Kind, _ logger: Logger) {
        self.malformed.increment()
        logger.warning("a message of the bus is malformed", metadata: ["kind": "\(kind)", "error": "\(error)"])
    }
}
