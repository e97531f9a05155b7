import CMongo
import Wire

/// Why a command, or the way to a server, failed.
package struct MongoError: Error, Sendable {
    package enum Code: Sendable, Equatable {
        /// No server or no free client in time; nothing was sent.
        case unreachable
        /// The deadline passed, or the connection broke, after sending (SPEC ND-14).
        case unknownOutcome
        /// The server answered with this error code.
        case server(Int32)
        /// The answer is not BSON or lacks what the command must answer.
        case malformedReply
        /// The driver refused: a wrong URI, failed authentication, an unsupported option.
        case refused
    }

    package var code: Code
    /// The command's name, or what was being done.
    package var operation: String
    package var message: String
    /// Error labels of the server, e.g. `ResumableChangeStreamError`.
    package var labels: [String]

    package init(_ code: Code, operation: String, message: String, labels: [String] = []) {
        self.code = code
        self.operation = operation
        self.message = message
        self.labels = labels
    }

    package func hasLabel(_ label: String) -> Bool { self.labels.contains(label) }

    /// The server's code; nil where no server answered.
    package var serverCode: Int32? {
        if case .server(let code) = self.code { code } else { nil }
    }

    /// Failures that pass by themselves: elections, shutdowns, broken connections, an exceeded time limit.
    package var isTransient: Bool {
        switch self.code {
        case .unreachable, .unknownOutcome: true
        case .server(let code): Self.transientCodes.contains(code)
        case .malformedReply, .refused: false
        }
    }

    /// Whether a write with a transaction number may be sent again: the server says so by a label, a broken connection says
    /// nothing.
    var isRetryableWrite: Bool {
        switch self.code {
        case .unknownOutcome: true
        case .server: self.hasLabel("RetryableWriteError")
        case .unreachable, .malformedReply, .refused: false
        }
    }

    /// HostUnreachable, HostNotFound, LockTimeout, ExceededTimeLimit and friends, as in MongoDB's `error_codes.yml`: the
    /// categories RetriableError, NetworkError, NotPrimaryError, ShutdownError, Interruption, plus WriteConcernFailed.
    private static let transientCodes: Set<Int32> = [
        6, 7, 24, 46, 50, 64, 79, 89, 91, 94, 112, 133, 134, 189, 202, 262, 317, 358, 402, 9001, 10058, 10107, 11600,
        11601, 11602, 13435, 13436,
    ]

    package static let duplicateKey: Int32 = 11000
    package static let namespaceExists: Int32 = 48
    package static let namespaceNotFound: Int32 = 26
    package static let cursorNotFound: Int32 = 43
    package static let changeStreamHistoryLost: Int32 = 286
    package static let cappedPositionLost: Int32 = 136
    package static let commandNotFound: Int32 = 59
    package static let unauthorized: Int32 = 13
}

extension MongoError: CustomStringConvertible {
    package var description: String { "\(self.operation): \(self.code): \(self.message)" }
}

extension MongoError {
    /// From the driver's error structure, and the reply if there was one.
    init(_ error: borrowing bson_error_t, operation: String, reply: BSONDocument? = nil) {
        let message = withUnsafePointer(to: error) { String(cString: cmongo_error_message($0)) }
        var labels: [String] = []
        for label in reply?["errorLabels"]?.array ?? BSONDocument({ _ in }) {
            if let label = label.string { labels.append(label) }
        }
        self.init(
            Self.code(domain: error.domain, code: error.code), operation: operation, message: message, labels: labels)
    }

    private static func code(domain: UInt32, code: UInt32) -> Code {
        switch domain {
        case MONGOC_ERROR_SERVER.rawValue: .server(Int32(truncatingIfNeeded: code))
        case MONGOC_ERROR_WRITE_CONCERN.rawValue: .unknownOutcome
        case MONGOC_ERROR_SERVER_SELECTION.rawValue, MONGOC_ERROR_POOL.rawValue: .unreachable
        case MONGOC_ERROR_STREAM.rawValue:
            switch code {
            case MONGOC_ERROR_STREAM_CONNECT.rawValue, MONGOC_ERROR_STREAM_NAME_RESOLUTION.rawValue,
                MONGOC_ERROR_STREAM_NOT_ESTABLISHED.rawValue:
                .unreachable
            default: .unknownOutcome
            }
        case MONGOC_ERROR_PROTOCOL.rawValue: .malformedReply
        default: .refused
        }
    }
}
