import Wire

/// Finds the handler of an event by the bytes of its name, without making a string.
struct EventTable: Sendable {
    typealias Handler = @Sendable (borrowing LoopEvent) -> Void

    private struct Entry: Sendable {
        let name: [UInt8]
        let handler: Handler
    }

    /// By the name's length and first byte: few names share both.
    private var buckets: [Int: [Entry]] = [:]
    private(set) var isEmpty = true

    init() {}

    private static func bucket(_ count: Int, _ first: UInt8) -> Int { count << 8 | Int(first) }

    /// The last handler of a name wins.
    mutating func set(_ name: String, _ handler: @escaping Handler) {
        let bytes = Array(name.utf8)
        guard let first = bytes.first else { return }
        self.isEmpty = false
        var entries = self.buckets[Self.bucket(bytes.count, first)] ?? []
        entries.removeAll { $0.name == bytes }
        entries.append(Entry(name: bytes, handler: handler))
        self.buckets[Self.bucket(bytes.count, first)] = entries
    }

    func handler(for event: borrowing LoopEvent) -> Handler? {
        guard !event.packet.nameHasEscapes else {
            let name = Array(event.packet.name(in: event.text).utf8)
            return name.withUnsafeBytes { self.handler(named: $0) }
        }
        return self.handler(named: event.rawName)
    }

    private func handler(named name: UnsafeRawBufferPointer) -> Handler? {
        guard let first = name.first, let entries = self.buckets[Self.bucket(name.count, first)] else { return nil }
        for entry in entries where entry.name.elementsEqual(name) { return entry.handler }
        return nil
    }
}
