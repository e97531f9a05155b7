package import NIOCore

/// One document of an inbox: a batch of messages from one node incarnation to another (SPEC ND-6).
package struct Envelope: Sendable, Equatable {
    /// Text form of the receiving incarnation; the tail filters by it on the server.
    package var to: String
    /// Text form of the sending incarnation.
    package var from: String
    /// Counter per (from, to), from 1.
    package var sequence: Int64
    /// Server time of the insert, a BSON timestamp: seconds in the upper half, a counter in the lower.
    package var time: UInt64
    /// The messages, encoded as ``MessageBatch`` says. Decoded only once the envelope is known to be new.
    package var batch: ByteBuffer
    /// The sender has read so far what the receiver sent it; 0: it does not say (SPEC ND-7).
    package var readMark: Int64
    /// Seconds that the messages are older than `time` says: the envelope is a copy from a home that does not answer.
    package var age: Int64

    package init(
        to: String, from: String, sequence: Int64, time: UInt64, batch: ByteBuffer, readMark: Int64 = 0, age: Int64 = 0
    ) {
        self.to = to
        self.from = from
        self.sequence = sequence
        self.time = time
        self.batch = batch
        self.readMark = readMark
        self.age = age
    }

    /// Largest batch, in bytes (SPEC ND-6).
    package static let maximumSize = 4 << 20

    /// More than any sender keeps an envelope: a day.
    package static let maximumAge: Int64 = 86_400

    /// Seconds since 1970 at the server when the envelope was first inserted.
    package var seconds: Int64 { Int64(self.time >> 32) - self.age }

    /// `to`, `from`, `s` joined: an insert that is repeated, at whatever home, cannot become a second envelope.
    package static func identifier(to: String, from: String, sequence: Int64) -> String {
        "\(to).\(from).\(sequence)"
    }
}
