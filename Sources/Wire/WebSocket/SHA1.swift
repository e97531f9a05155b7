/// SHA-1 (RFC 3174), for the handshake of RFC 6455 only, which proves nothing but that the server speaks WebSocket.
/// Here because `Wire` has no crypto library; never use it where security depends on it.
enum SHA1 {
    typealias Digest = (UInt32, UInt32, UInt32, UInt32, UInt32)

    /// - Returns: the five words of the digest, whose bytes are big-endian.
    static func hash(_ message: UnsafeRawBufferPointer) -> Digest {
        var state: Digest = (0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0)
        let bits = UInt64(message.count) * 8
        // The message, a one bit, zeros, and its length in the last eight bytes of a block.
        let total = (message.count + 9 + 63) / 64 * 64
        func byte(_ index: Int) -> UInt32 {
            if index < message.count { return UInt32(message[index]) }
            if index == message.count { return 0x80 }
            let rest = total - 1 - index
            return rest < 8 ? UInt32(truncatingIfNeeded: bits >> UInt64(8 * rest)) & 0xFF : 0
        }
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 80) { schedule in
            for block in stride(from: 0, to: total, by: 64) {
                for word in 0..<16 {
                    let start = block + word * 4
                    schedule[word] = byte(start) << 24 | byte(start + 1) << 16 | byte(start + 2) << 8 | byte(start + 3)
                }
                for word in 16..<80 {
                    schedule[word] = self.rotate(
                        schedule[word - 3] ^ schedule[word - 8] ^ schedule[word - 14] ^ schedule[word - 16], 1)
                }
                self.mix(schedule, into: &state)
            }
        }
        return state
    }

    private static func mix(_ schedule: UnsafeMutableBufferPointer<UInt32>, into state: inout Digest) {
        var (a, b, c, d, e) = state
        for round in 0..<80 {
            let mixed: UInt32
            let constant: UInt32
            switch round {
            case 0..<20: (mixed, constant) = ((b & c) | (~b & d), 0x5A82_7999)
            case 20..<40: (mixed, constant) = (b ^ c ^ d, 0x6ED9_EBA1)
            case 40..<60: (mixed, constant) = ((b & c) | (b & d) | (c & d), 0x8F1B_BCDC)
            default: (mixed, constant) = (b ^ c ^ d, 0xCA62_C1D6)
            }
            let next = self.rotate(a, 5) &+ mixed &+ e &+ constant &+ schedule[round]
            (e, d, c, b, a) = (d, c, self.rotate(b, 30), a, next)
        }
        state = (state.0 &+ a, state.1 &+ b, state.2 &+ c, state.3 &+ d, state.4 &+ e)
    }

    private static func rotate(_ word: UInt32, _ bits: UInt32) -> UInt32 { word << bits | word >> (32 - bits) }
}
