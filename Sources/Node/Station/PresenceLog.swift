import NIOCore
import Routing
import Synchronization
import Wire

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Appends announced presence to a file, one JSON object a line, for audits and the cluster tests.
final class PresenceLog: Sendable {
    private let file: Mutex<CInt>

    /// - Throws: ``StartError``.
    init(path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw StartError(
                "cannot open the presence log \(path)", why: String(cString: strerror(errno)),
                remedy: "Name a file in a folder that this user may write.")
        }
        self.file = Mutex(descriptor)
    }

    deinit {
        self.file.withLock { _ = close($0) }
    }

    /// - Returns: false when the line could not be written whole.
    func append(_ presence: Presence, node: NodeID) -> Bool {
        var line = ByteBuffer()
        line.writeString("{\"t\":\"\(presence.change.rawValue)\",\"domain\":")
        line.writeJSONString(presence.domain)
        line.writeString(",\"user\":")
        line.writeJSONString(presence.user)
        if let client = presence.client {
            line.writeString(",\"client\":")
            line.writeJSONString(client)
        }
        line.writeString(",\"seq\":\(presence.sequence),\"node\":\"\(node)\"}\n")
        return self.file.withLock { descriptor in
            line.withUnsafeReadableBytes { bytes in
                // One write per line: appends of several nodes to one file do not mix.
                write(descriptor, bytes.baseAddress, bytes.count) == bytes.count
            }
        }
    }
}
