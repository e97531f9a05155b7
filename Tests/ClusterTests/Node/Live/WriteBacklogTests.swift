import NIOCore
import Testing

@testable import Node

/// SPEC EV-4: what waits for a slow reader is counted in bytes, and is all that is kept for it.
@Suite("EV-4: the backlog of a slow reader")
struct WriteBacklogTests {
    @Test("bytes leave in the order and in the number in which they came, in whole blocks")
    func order() {
        let backlog = WriteBacklog()
        var expected: [UInt8] = []
        for number in 0..<3_000 {
            let frame = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: number % 97)
            expected += frame
            backlog.append(ByteBuffer(bytes: frame))
        }
        #expect(backlog.bytes == expected.count)
        var found: [UInt8] = []
        while let block = backlog.next() {
            #expect(block.readableBytes == WriteBacklog.block || backlog.bytes == 0)
            found += block.readableBytesView
            #expect(backlog.bytes == expected.count - found.count)
        }
        #expect(found == expected)
    }

    @Test("a frame larger than a block is spread over several")
    func large() {
        let backlog = WriteBacklog()
        let count = 2 * WriteBacklog.block + 5
        backlog.append(ByteBuffer(repeating: 7, count: count))
        var sizes: [Int] = []
        while let block = backlog.next() { sizes.append(block.readableBytes) }
        #expect(sizes == [WriteBacklog.block, WriteBacklog.block, 5])
        #expect(backlog.bytes == 0)
    }

    @Test("nothing of a shared buffer is kept, however small the part that waits")
    func copies() {
        let backlog = WriteBacklog()
        let shared = ByteBuffer(repeating: 1, count: 1 << 20)
        guard let part = shared.getSlice(at: 10, length: 16) else { return #expect(Bool(false), "no slice") }
        backlog.append(part)
        #expect((backlog.next()?.storageCapacity ?? .max) < 1 << 10)
    }
}
