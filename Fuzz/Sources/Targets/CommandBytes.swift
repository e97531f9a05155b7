/// Takes small numbers and runs of bytes from the front of an input; at its end, zeros and nothing.
struct CommandBytes {
    private let bytes: UnsafeRawBufferPointer
    private var position = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    var isEmpty: Bool { self.position >= self.bytes.count }

    mutating func byte() -> UInt8 {
        guard !self.isEmpty else { return 0 }
        defer { self.position += 1 }
        return self.bytes[self.position]
    }

    mutating func take(_ count: Int) -> UnsafeRawBufferPointer {
        let end = min(self.bytes.count, self.position + count)
        defer { self.position = end }
        return UnsafeRawBufferPointer(rebasing: self.bytes[self.position..<end])
    }

    mutating func rest() -> UnsafeRawBufferPointer { self.take(self.bytes.count) }
}
