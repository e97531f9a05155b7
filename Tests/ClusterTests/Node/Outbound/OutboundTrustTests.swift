import Foundation
import Testing

@testable import Node

/// Files of authorities that cannot be used (`--outbound-ca`); one that can is in test_webhooks.py, with a real target.
@Suite struct OutboundTrustTests {
    @Test("A file that is missing, a folder, too large or no PEM text is named, with what is wrong")
    func unusable() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { #expect(throws: Never.self) { try FileManager.default.removeItem(at: folder) } }
        let text = folder.appending(path: "ca.pem")
        func complaint(_ path: String) -> String? {
            var configuration = Configuration.development
            configuration.outboundCA = path
            let found = configuration.complaints(readingFiles: true).filter { $0.about == ["outbound-ca"] }
            #expect(found.allSatisfy { $0.what.contains(path) && !$0.remedy.isEmpty })
            return found.first?.why
        }
        #expect(complaint(text.path)?.contains("no such file") == true)
        #expect(complaint(folder.path)?.contains("it is no file") == true)
        for content in ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            try Data(content.utf8).write(to: text)
            #expect(complaint(text.path)?.contains("no certificate as PEM text") == true)
        }
        try Data(count: OutboundTrust.largest + 1).write(to: text)
        #expect(complaint(text.path)?.contains("no file of at most 4 MiB") == true)
        #expect(Configuration.development.complaints(readingFiles: true).allSatisfy { $0.about != ["outbound-ca"] })
    }
}
