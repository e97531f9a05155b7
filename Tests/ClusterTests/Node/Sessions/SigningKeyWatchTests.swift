import Foundation
import Logging
import Synchronization
import Testing

@testable import Node

@Suite("ID-2: keys are replaced while the node runs")
struct SigningKeyWatchTests {
    private static let (old, new) = ([UInt8](repeating: 1, count: 32), [UInt8](repeating: 2, count: 32))

    private final class File {
        let path = FileManager.default.temporaryDirectory.appending(path: "keys-\(UUID().uuidString)").path

        func write(_ keys: [[UInt8]], mode: Int = 0o600) throws {
            let text = keys.map { Base64URLText.encode($0) + "\n" }.joined()
            try text.write(toFile: self.path, atomically: true, encoding: .utf8)
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: self.path)
        }

        deinit { try? FileManager.default.removeItem(atPath: self.path) }
    }

    @Test(
        "ID-2: first signs, all verify; a removed key makes its tokens wrong, and says which sockets lose their proof")
    func rotation() throws {
        let file = File()
        try file.write([Self.old])
        let keyring = SigningKeyring(try SigningKeyFile.load(file.path))
        let removed = Mutex<[Set<[UInt8]>]>([])
        let watch = SigningKeyWatch(
            path: file.path, keyring: keyring, interval: 30, removed: { keys in removed.withLock { $0.append(keys) } },
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let chain = [UInt8](repeating: 9, count: 32)
        func token() -> String { DomesticToken(keys: keyring.current).text(domain: "a.org", chain: chain) }
        func key(of token: String) -> [UInt8]? {
            DomesticToken(keys: keyring.current).key(of: token, domain: "a.org", chain: chain)
        }
        let first = token()
        let oldKey = try #require(key(of: first))
        #expect(try !watch.reload())
        try file.write([Self.new, Self.old])
        #expect(try watch.reload())
        #expect(token() != first && key(of: first) == oldKey && key(of: token()) != oldKey)
        #expect(removed.withLock { $0.isEmpty })
        try file.write([Self.old, Self.new])
        #expect(try watch.reload(), "the order counts: another one signs")
        #expect(token() == first)
        try file.write([Self.new])
        #expect(try watch.reload())
        #expect(key(of: first) == nil)
        #expect(removed.withLock { $0 } == [[oldKey]])
    }

    @Test("ID-2, OP-1: a file that cannot be used changes nothing")
    func refused() throws {
        let file = File()
        try file.write([Self.old])
        let keyring = SigningKeyring(try SigningKeyFile.load(file.path))
        let before = keyring.current.ids
        let watch = SigningKeyWatch(
            path: file.path, keyring: keyring, interval: 0, removed: { _ in Issue.record("removed") },
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try file.write([Self.new], mode: 0o644)
        #expect(throws: SigningKeyError.self) { try watch.reload() }
        try file.write([])
        #expect(throws: SigningKeyError.none) { try watch.reload() }
        try file.write([[1, 2, 3]])
        #expect(throws: SigningKeyError.tooShort(line: 1)) { try watch.reload() }
        try FileManager.default.removeItem(atPath: file.path)
        #expect(throws: SigningKeyError.self) { try watch.reload() }
        #expect(keyring.current.ids == before)
    }

    @Test("ID-2, ID-5: a socket whose proof a removed key made is domestic no more, and belongs to whom it did")
    func sockets() {
        let (key, other) = ([UInt8](repeating: 3, count: 8), [UInt8](repeating: 4, count: 8))
        let identity = ConnectionIdentity(
            domain: "a.org", user: "alice", client: "phone", session: nil, isDomestic: true,
            warrant: Warrant(ask: 1, end: 2), domesticKey: key)
        #expect(identity.without(keys: [other]) == identity)
        let left = identity.without(keys: [key, other])
        #expect(!left.isDomestic && left.domesticKey == nil)
        #expect((left.key, left.client, left.warrant) == (identity.key, identity.client, identity.warrant))
        let byToken = ConnectionIdentity(
            domain: "a.org", user: "alice", client: "phone", session: nil, isDomestic: true, isByToken: true)
        #expect(byToken.without(keys: [key]).isDomestic, "a bearer's proof is no signing key's")
    }
}
