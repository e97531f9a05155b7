#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The system's random numbers, a few at a time: every connect takes four, and each would be a system call. For the IDs of an
/// event loop's sessions and sockets (SPEC OP-3); touch only from that loop.
struct LoopRandom: RandomNumberGenerator {
    /// As many bytes as one call may ask for.
    private static let size = 256

    private var numbers: [UInt64] = []

    mutating func next() -> UInt64 {
        if let number = self.numbers.popLast() { return number }
        self.refill()
        return self.numbers.removeLast()
    }

    private mutating func refill() {
        let count = Self.size / MemoryLayout<UInt64>.size
        self.numbers.append(contentsOf: repeatElement(0, count: count))
        let failure = self.numbers.withUnsafeMutableBytes { getentropy($0.baseAddress, $0.count) }
        precondition(failure == 0, "the system has no random numbers")
    }
}
