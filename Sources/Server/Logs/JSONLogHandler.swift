import Foundation
import Logging
import NIOCore
import Wire

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Log lines as JSON, one object a line on standard error: `time` (RFC 3339, UTC), `level`, `message`, `label`, and the fields of the
/// metadata beside them. A field that is called like one of these four gets a `_` behind its name.
struct JSONLogHandler: LogHandler {
    private static let reserved: Set<String> = ["time", "level", "message", "label"]

    private let label: String
    private let write: @Sendable (ByteBuffer) -> Void
    private let now: @Sendable () -> Date
    var logLevel = Logger.Level.info
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?

    /// - Parameter write: gets a whole line with its end. Default: standard error, unbuffered.
    init(
        label: String, now: @escaping @Sendable () -> Date = { Date() },
        write: @escaping @Sendable (ByteBuffer) -> Void = JSONLogHandler.toStandardError
    ) {
        self.label = label
        self.now = now
        self.write = write
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var fields = self.metadata
        if let provided = self.metadataProvider?.get() { fields.merge(provided) { $1 } }
        if let given = event.metadata { fields.merge(given) { $1 } }
        var line = ByteBuffer()
        line.writeString("{\"time\":")
        line.writeJSONString(self.now().formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true)))
        line.writeString(",\"level\":")
        line.writeJSONString(event.level.rawValue)
        line.writeString(",\"message\":")
        line.writeJSONString("\(event.message)")
        line.writeString(",\"label\":")
        line.writeJSONString(self.label)
        if let error = event.error, fields["error"] == nil { fields["error"] = "\(error)" }
        for (key, value) in fields.sorted(by: { $0.key < $1.key }) {
            line.writeString(",")
            line.writeJSONString(Self.reserved.contains(key) ? key + "_" : key)
            line.writeString(":")
            Self.write(value, to: &line)
        }
        line.writeString("}\n")
        self.write(line)
    }

    private static func write(_ value: Logger.Metadata.Value, to line: inout ByteBuffer) {
        switch value {
        case .string(let text): line.writeJSONString(text)
        case .stringConvertible(let value): line.writeJSONString("\(value)")
        case .array(let values):
            line.writeString("[")
            for (index, value) in values.enumerated() {
                if index > 0 { line.writeString(",") }
                self.write(value, to: &line)
            }
            line.writeString("]")
        case .dictionary(let fields):
            line.writeString("{")
            for (index, (key, value)) in fields.sorted(by: { $0.key < $1.key }).enumerated() {
                if index > 0 { line.writeString(",") }
                line.writeJSONString(key)
                line.writeString(":")
                self.write(value, to: &line)
            }
            line.writeString("}")
        }
    }

    /// In one call, so that lines of several threads do not mix.
    static let toStandardError: @Sendable (ByteBuffer) -> Void = { line in
        line.withUnsafeReadableBytes { bytes in
            // Nobody is left to tell when even this fails.
            _ = Foundation.write(STDERR_FILENO, bytes.baseAddress, bytes.count)
        }
    }
}
