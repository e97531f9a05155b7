import NIOCore
import Wire

/// permessage-deflate on one WebSocket. Exists only where it was agreed on, and has memory of its own only where messages
/// may refer to earlier ones; all of it goes with the connection.
final class ConnectionDeflate {
    /// For what comes in.
    let inflation: Inflation
    private let loop: LoopDeflate
    private let deflater: Deflater
    private let agreement: DeflateAgreement
    private let threshold: Int

    init(_ agreement: DeflateAgreement, options: TransportOptions.Compression, loop: LoopDeflate) {
        self.loop = loop
        self.agreement = agreement
        self.threshold = options.threshold
        self.deflater =
            agreement.keepsContext
            ? Deflater(.raw(windowBits: agreement.windowBits), level: options.level)
            : loop.deflater(windowBits: agreement.windowBits)
        self.inflation = Inflation(
            inflater: agreement.clientKeepsContext ? Inflater() : loop.inflater, output: loop.inflated,
            keepsContext: agreement.clientKeepsContext)
    }

    /// Appends frames of this connection alone.
    func rewrite(_ frames: ByteBuffer, into buffer: inout ByteBuffer) {
        frames.withUnsafeReadableBytes {
            FrameDeflation.rewrite(
                $0, with: self.deflater, keepsContext: self.agreement.keepsContext, threshold: self.threshold,
                into: &buffer)
        }
    }

    /// Frames that other connections get, too.
    func rewrite(shared frames: ByteBuffer) -> ByteBuffer {
        guard self.agreement.keepsContext else {
            return self.loop.shared(frames, windowBits: self.agreement.windowBits, threshold: self.threshold)
        }
        var packed = ByteBuffer()
        self.rewrite(frames, into: &packed)
        return packed
    }
}

@available(*, unavailable) extension ConnectionDeflate: Sendable {}
