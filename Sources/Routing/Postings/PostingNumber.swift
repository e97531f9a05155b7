package import Wire

/// What a posting is called on its way: it is stored before the first attempt to send it, and stays the same for every
/// further one, whoever makes it.
package struct PostingNumber: Hashable, Sendable {
    /// The lane's.
    package let stream: RecoveryStream
    /// Rises within the stream: the generation of the lane's lease in the upper bits, a counter in the lower 32.
    package let number: Int64

    package init(stream: RecoveryStream, number: Int64) {
        self.stream = stream
        self.number = number
    }

    /// - Parameters:
    ///   - generation: from 1, below 2^29.
    ///   - counter: from 1, below 2^32.
    package init(stream: RecoveryStream, generation: Int64, counter: Int64) {
        self.init(stream: stream, number: generation << 32 | counter)
    }
}
