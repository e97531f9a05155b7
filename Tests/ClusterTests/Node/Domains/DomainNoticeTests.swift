import NIOCore
import Testing
import Wire

@testable import Node

/// RM-4, OP-4: what nodes tell each other of configurations.
@Suite struct DomainNoticeTests {
    @Test("RM-4: a notice is read back")
    func whole() throws {
        let notice = DomainNotice(domain: "app.example", version: 7)
        #expect(try DomainNotice(notice.message) == notice)
        #expect(notice.message.kind == .config && notice.message.key.isEmpty)
    }

    @Test("OP-4: what is none is refused, every cut of one too")
    func malformed() throws {
        let whole = Array(DomainNotice(domain: "a", version: 1).message.payload.readableBytesView)
        func read(_ bytes: [UInt8]) throws(PeerMessageError) -> DomainNotice {
            try DomainNotice(BusMessage(kind: .config, key: "", payload: ByteBuffer(bytes: bytes)))
        }
        for length in 0..<whole.count {
            #expect(throws: PeerMessageError.malformed, "\(length)") { try read(Array(whole.prefix(length))) }
        }
        #expect(throws: PeerMessageError.unknownVersion(9)) { try read([9] + whole.dropFirst()) }
        #expect(throws: PeerMessageError.malformed) { try read(whole.dropLast() + [0xFF]) }
        #expect(throws: PeerMessageError.malformed) { try read(whole + Array(repeating: 0x61, count: 255)) }
        #expect(throws: PeerMessageError.malformed) { try read([1] + Array(repeating: 0xFF, count: 8) + [0x61]) }
        #expect(throws: PeerMessageError.malformed) { try read([1] + Array(repeating: 0, count: 8) + [0x61]) }
    }
}
