/// Memory that one event loop lends to its decoders: unmasked frames and decoded base64 live here until the next call.
///
/// A class with memory of its own, not a `ByteBuffer`: what decoders hand out points into it and must stay where it is
/// between calls. Use from one event loop only.
package final class ScratchBuffer {
    private var memory: UnsafeMutableRawBufferPointer
    private let idleCapacity: Int

    /// - Parameter idleCapacity: what `shrink()` goes back to, in bytes; the default holds one read of 64 KiB.
    package init(idleCapacity: Int = 65_536) {
        self.idleCapacity = idleCapacity
        self.memory = .allocate(byteCount: idleCapacity, alignment: 16)
    }

    deinit { self.memory.deallocate() }

    package var capacity: Int { self.memory.count }

    /// Room for at least `count` bytes, uninitialised. Whatever was handed out before is invalid.
    package func reserve(_ count: Int) -> UnsafeMutableRawBufferPointer {
        if count > self.memory.count {
            self.memory.deallocate()
            self.memory = .allocate(byteCount: max(count, self.idleCapacity), alignment: 16)
        }
        return self.memory
    }

    /// Room for at least `count` bytes, of which the first `used` stay as they are.
    package func grow(to count: Int, keeping used: Int) -> UnsafeMutableRawBufferPointer {
        guard count > self.memory.count else { return self.memory }
        let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 16)
        larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: self.memory[..<used]))
        self.memory.deallocate()
        self.memory = larger
        return larger
    }

    /// Gives back what a rare large message needed. Call when nothing handed out is in use, say once a second.
    package func shrink() {
        guard self.memory.count > self.idleCapacity else { return }
        self.memory.deallocate()
        self.memory = .allocate(byteCount: self.idleCapacity, alignment: 16)
    }
}

@available(*, unavailable) extension ScratchBuffer: Sendable {}
