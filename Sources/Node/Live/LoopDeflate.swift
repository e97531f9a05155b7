import NIOCore
import Wire

/// What all connections of an event loop compress and unpack with, wherever no message refers to an earlier one. Made
/// when it is needed first.
final class LoopDeflate {
    let inflated = ScratchBuffer(idleCapacity: 4_096)
    private(set) lazy var inflater = Inflater()
    private let messageLevel: Int
    private let bodyLevel: Int
    /// By the bits of the window; at most seven.
    private var messages: [Int: Deflater] = [:]
    private var bodies: [ContentEncoding: Deflater] = [:]
    /// What was compressed last for all members of a device: mostly they agree on the same window.
    private var latest: (frames: ByteBuffer, windowBits: Int, threshold: Int, packed: ByteBuffer)?

    init(_ options: TransportOptions) {
        self.messageLevel = options.messageCompression?.level ?? 1
        self.bodyLevel = options.pollingCompression?.level ?? 1
    }

    func deflater(windowBits: Int) -> Deflater {
        if let made = self.messages[windowBits] { return made }
        let made = Deflater(.raw(windowBits: windowBits), level: self.messageLevel)
        self.messages[windowBits] = made
        return made
    }

    /// A compressed body, whole.
    func encode(_ body: ByteBuffer, as encoding: ContentEncoding) -> ByteBuffer {
        let deflater: Deflater
        if let made = self.bodies[encoding] {
            deflater = made
        } else {
            deflater = Deflater(encoding == .gzip ? .gzip : .zlib, level: self.bodyLevel)
            self.bodies[encoding] = deflater
        }
        return body.withUnsafeReadableBytes { deflater.compress(body: $0) }
    }

    /// Frames that several connections get: compressed once.
    func shared(_ frames: ByteBuffer, windowBits: Int, threshold: Int) -> ByteBuffer {
        if let latest = self.latest, latest.windowBits == windowBits, latest.frames == frames { return latest.packed }
        var packed = ByteBuffer()
        frames.withUnsafeReadableBytes {
            FrameDeflation.rewrite(
                $0, with: self.deflater(windowBits: windowBits), keepsContext: false, threshold: threshold,
                into: &packed)
        }
        self.latest = (frames, windowBits, threshold, packed)
        return packed
    }

    /// Gives back what rare large messages needed. Call about once a second, when no message is being handled.
    func shrink() {
        self.inflated.shrink()
        self.latest = nil
    }
}

@available(*, unavailable) extension LoopDeflate: Sendable {}
