import Foundation
import Testing

@testable import Postboard

/// What the example's people may see, and how they stand (Examples/Postboard).
@Suite struct BoardTests {
    private static let password = Password(salt: Data([1]), hash: Data([2]))

    private func board(_ events: BoardEvent...) -> Board {
        var board = Board()
        for name in ["ann", "bob", "eve"] { board.apply(.registered(name: name, password: Self.password)) }
        for event in events { board.apply(event) }
        return board
    }

    @Test("A question is answered from the other side; parting ends it for both")
    func bonds() {
        var board = self.board(.asked(name: "ann", other: "bob"))
        #expect(board.bond(of: "ann", with: "bob") == .asked)
        #expect(board.bond(of: "bob", with: "ann") == .asks)
        #expect(board.friends(of: "ann").isEmpty)
        board.apply(.befriended(name: "bob", other: "ann"))
        #expect(board.friends(of: "ann") == ["bob"])
        #expect(board.friends(of: "bob") == ["ann"])
        board.apply(.parted(name: "ann", other: "bob"))
        #expect(board.bonds(of: "ann").isEmpty && board.bonds(of: "bob").isEmpty)
    }

    @Test("Own posts and those of friends, the newest first; of one who is only asked, none")
    func posts() {
        let posts = [("1", "ann", 1), ("2", "bob", 2), ("3", "eve", 3)].map {
            BoardEvent.posted(Post(id: $0.0, author: $0.1, text: "x", at: Int64($0.2)))
        }
        var board = self.board(
            .asked(name: "ann", other: "bob"), .befriended(name: "ann", other: "bob"), .asked(name: "eve", other: "ann")
        )
        for post in posts { board.apply(post) }
        #expect(board.posts(for: "ann", limit: 9).map(\.id) == ["2", "1"])
        #expect(board.posts(for: "ann", limit: 1).map(\.id) == ["2"])
        #expect(board.posts(for: "eve", limit: 9).map(\.id) == ["3"])
        board.apply(.withdrawn(id: "2"))
        #expect(board.posts(for: "bob", limit: 9).map(\.id) == ["1"])
    }

    @Test("Ten wrong passwords in a quarter of an hour lock an account; a right one, and time, forget them")
    func mistakes() {
        var board = self.board()
        for time in 0..<9 { board.apply(.mistaken(name: "ann", at: Int64(time))) }
        #expect(!board.isLocked("ann", at: 10))
        board.apply(.mistaken(name: "ann", at: 9))
        #expect(board.isLocked("ann", at: 10))
        #expect(!board.isLocked("bob", at: 10))
        #expect(!board.isLocked("ann", at: Board.patience + 9))
        board.apply(.entered(name: "ann", device: "phone"))
        #expect(!board.isLocked("ann", at: 10))
    }

    @Test("A device is listed once, and goes alone or with all others")
    func devices() {
        var board = self.board(
            .entered(name: "ann", device: "phone"), .entered(name: "ann", device: "laptop"),
            .entered(name: "ann", device: "phone"))
        #expect(board.accounts["ann"]?.devices == ["laptop", "phone"])
        board.apply(.left(name: "ann", device: "phone"))
        #expect(board.accounts["ann"]?.devices == ["laptop"])
        board.apply(.left(name: "ann", device: nil))
        #expect(board.accounts["ann"]?.devices == [])
    }

    @Test("A password is right or wrong; two of the same text are stored differently")
    func passwords() async throws {
        let passwords = Passwords()
        let (one, two) = (try await passwords.make("correct horse"), try await passwords.make("correct horse"))
        #expect(one != two && one.salt.count == 16 && one.hash.count == 32)
        #expect(try await passwords.isRight("correct horse", one))
        #expect(try await !passwords.isRight("correct horsf", one))
        #expect(try await !passwords.isRight("correct horse", nil))
        try await passwords.shutDown()
    }
}
