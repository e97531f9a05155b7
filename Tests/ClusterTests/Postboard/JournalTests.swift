import Foundation
import Testing

@testable import Postboard

/// What all nodes of the example share: a file (Examples/Postboard).
@Suite struct JournalTests {
    private let path = FileManager.default.temporaryDirectory.appending(path: "journal-\(UUID().uuidString)").path

    private func post(_ id: String, _ author: String = "ann") -> BoardEvent {
        .posted(Post(id: id, author: author, text: id, at: 1))
    }

    @Test("What one process writes, another one reads, and decides upon")
    func shared() async throws {
        let (one, two) = (try Journal(path: self.path), try Journal(path: self.path))
        try await one.change { _ in ([self.post("1")], ()) }
        #expect(try await two.board().posts.keys.sorted() == ["1"])
        let seen = try await two.change { board in ([self.post("2")], board.posts.count) }
        #expect(seen == 1)
        #expect(try await one.board() == (try await two.board()))
        #expect(try await one.board().posts.count == 2)
        try await one.shutDown()
        try await two.shutDown()
    }

    @Test("Of many who want the same name, one gets it, whoever's process it is")
    func race() async throws {
        let journals = try (0..<3).map { _ in try Journal(path: self.path) }
        let password = Password(salt: Data([1]), hash: Data([2]))
        let winners = try await withThrowingTaskGroup(of: Int.self) { group in
            for number in 0..<30 {
                group.addTask {
                    try await journals[number % 3].change { board in
                        guard board.accounts["ann"] == nil else { return ([], 0) }
                        return ([.registered(name: "ann", password: password), self.post("\(number)")], 1)
                    }
                }
            }
            return try await group.reduce(0, +)
        }
        #expect(winners == 1)
        for journal in journals {
            #expect(try await journal.board().posts.count == 1)
            try await journal.shutDown()
        }
    }

    @Test("A change that is refused leaves nothing behind")
    func refused() async throws {
        struct No: Error {}
        let journal = try Journal(path: self.path)
        await #expect(throws: No.self) { try await journal.change { _ in throw No() } as Void }
        #expect(try await journal.board() == Board())
        try await journal.shutDown()
    }

    @Test("Half a line, of a process that died while it wrote, is nobody's, and the next one writes over it")
    func torn() async throws {
        let one = try Journal(path: self.path)
        try await one.change { _ in ([self.post("1")], ()) }
        let handle = try #require(FileHandle(forWritingAtPath: self.path))
        try handle.seekToEnd()
        try handle.write(contentsOf: Data(#"{"posted":{"_0":{"id":"2","auth"#.utf8))
        try handle.close()
        let two = try Journal(path: self.path)
        #expect(try await two.board().posts.count == 1)
        try await two.change { _ in ([self.post("3")], ()) }
        #expect(try await one.board().posts.keys.sorted() == ["1", "3"])
        let three = try Journal(path: self.path)
        #expect(try await three.board() == (try await one.board()))
        for journal in [one, two, three] { try await journal.shutDown() }
    }
}
