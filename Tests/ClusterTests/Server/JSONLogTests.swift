import Foundation
import Logging
import NIOCore
import Synchronization
import Testing

@testable import Server

@Suite struct JSONLogTests {
    private final class Lines: Sendable {
        let all = Mutex<[String]>([])
    }

    @Test("A line is one JSON object with time, level, message, and the metadata beside them")
    func line() throws {
        let lines = Lines()
        var logger = Logger(label: "test") { label in
            JSONLogHandler(label: label, now: { Date(timeIntervalSince1970: 1.5) }) { line in
                lines.all.withLock { $0.append(String(buffer: line)) }
            }
        }
        logger[metadataKey: "node"] = "a\"b\n"
        logger.warning("hello", metadata: ["level": "mine", "list": ["x", ["y": "z"]], "count": "\(3)"])
        logger.debug("not this")
        let text = try #require(lines.all.withLock { $0.count == 1 ? $0[0] : nil })
        #expect(text.hasSuffix("}\n") && text.dropLast().allSatisfy { !$0.isNewline })
        let object = try #require(
            try JSONSerialization.jsonObject(with: Data(text.utf8)) as? NSDictionary)
        #expect(
            object == [
                "time": "1970-01-01T00:00:01.500Z", "level": "warning", "message": "hello", "label": "test",
                "node": "a\"b\n", "level_": "mine", "list": ["x", ["y": "z"]], "count": "3",
            ] as NSDictionary)
    }

    @Test("The level of all loggers changes while they are in use, but for those with one of their own")
    func level() {
        let logs = LogSwitch(LogOptions(level: .info, format: .json))
        let logger = Logger(label: "test") { logs.handler($0) }
        var own = logger
        own.logLevel = .error
        #expect(logger.logLevel == .info)
        logs.level = .trace
        #expect(logger.logLevel == .trace)
        #expect(own.logLevel == .error)
    }
}
