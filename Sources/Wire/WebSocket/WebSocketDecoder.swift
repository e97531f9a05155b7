/// Takes WebSocket frames (RFC 6455) out of received bytes: one machine per connection, nine bytes while idle.
///
/// Pull loop: call `next` until it says `needsMore`; `offset` then is the number of bytes used, and the rest belongs in
/// front of the next read. A message that came in one frame allocates nothing: it is unmasked into the scratch buffer,
/// never in place, for the read buffer is shared with the channel's pool.
package struct WebSocketDecoder {
    package struct Limits: Equatable, Sendable {
        /// Bytes of one message, all fragments together (SOCKETIO §18: `maxPayload`).
        package var maxPayload = 1_000_000
        /// Fragments of one message (CVE-2026-48779).
        package var maxFragments = 1_024
        /// Servers demand masked frames; false for the client's end.
        package var expectsMask = true

        /// What deflate may add to a message that it cannot make smaller: 5 bytes a block, and blocks may be short.
        var maxCompressed: Int { self.maxPayload + self.maxPayload >> 7 + 64 }

        package init(maxPayload: Int = 1_000_000, maxFragments: Int = 1_024, expectsMask: Bool = true) {
            self.maxPayload = maxPayload
            self.maxFragments = maxFragments
            self.expectsMask = expectsMask
        }
    }

    /// The message of which some fragments are here. Exists only meanwhile.
    private final class Fragments {
        let isText: Bool
        let isCompressed: Bool
        var bytes: [UInt8] = []
        var count = 1
        /// Of text that is not compressed, so that it is refused as soon as it is wrong.
        var validator = UTF8Validator()

        init(_ header: Header) {
            self.isText = header.opcode == 0x1
            self.isCompressed = header.isCompressed
        }
    }

    private struct Header {
        let opcode: UInt8
        let isFinal: Bool
        let isCompressed: Bool
        let isMasked: Bool
        let maskKey: UInt32
        let payload: Range<Int>
    }

    private enum HeaderResult {
        case header(Header)
        case incomplete
        case violation(WebSocketCloseCode)
        case tooManyFragments
    }

    private enum Condition: UInt8 { case reading, finished, tooFragmented }

    private var fragments: Fragments?
    private var condition = Condition.reading

    package init() {}

    /// Whether a message had more fragments than it may: what a violation with `tooLarge` leaves open.
    package var isTooFragmented: Bool { self.condition == .tooFragmented }

    /// Whether a message is half received: the caller may want a deadline for it.
    package var isFragmented: Bool { self.fragments != nil }

    /// - Parameters:
    ///   - bytes: everything received and not yet used.
    ///   - offset: where to go on; moved behind the frames that were used.
    ///   - scratch: the event loop's; the returned bytes may lie in it.
    ///   - inflation: for a connection with permessage-deflate; others may send nothing compressed.
    package mutating func next(
        in bytes: UnsafeRawBufferPointer, at offset: inout Int, scratch: ScratchBuffer, limits: Limits,
        inflation: Inflation? = nil
    ) -> WebSocketEvent {
        while self.condition == .reading {
            let header: Header
            switch self.header(in: bytes, at: offset, limits: limits, allowsCompressed: inflation != nil) {
            case .incomplete: return .needsMore
            case .violation(let code): return self.fail(code)
            case .tooManyFragments:
                _ = self.fail(.tooLarge)
                self.condition = .tooFragmented
                return .violation(.tooLarge)
            case .header(let found): header = found
            }
            offset = header.payload.upperBound
            let masked = UnsafeRawBufferPointer(rebasing: bytes[header.payload])
            switch header.opcode {
            case 0x1, 0x2:
                if header.isFinal {
                    if header.isCompressed, let inflation {
                        var ignored = false
                        let packed = Self.unmask(masked, header, into: scratch, isASCII: &ignored)
                        return self.unpack(packed, isText: header.opcode == 0x1, limits, inflation)
                    }
                    var isASCII = false
                    let payload = Self.unmask(masked, header, into: scratch, isASCII: &isASCII)
                    guard header.opcode == 0x1 else { return .binary(payload) }
                    return isASCII || UTF8Validation.isValid(payload) ? .text(payload) : self.fail(.invalidText)
                }
                let started = Fragments(header)
                self.fragments = started
                guard Self.append(masked, header, to: started, scratch: scratch) else {
                    return self.fail(.invalidText)
                }
            case 0x0:
                // `header` has checked that a fragment is open.
                guard let open = self.fragments else { return self.fail(.protocolError) }
                open.count += 1
                guard Self.append(masked, header, to: open, scratch: scratch) else { return self.fail(.invalidText) }
                guard header.isFinal else { continue }
                self.fragments = nil
                if open.isCompressed, let inflation {
                    return open.bytes.withUnsafeBytes { self.unpack($0, isText: open.isText, limits, inflation) }
                }
                let memory = scratch.reserve(open.bytes.count)
                memory.copyBytes(from: open.bytes)
                let payload = UnsafeRawBufferPointer(rebasing: memory[..<open.bytes.count])
                guard open.isText else { return .binary(payload) }
                return open.validator.isComplete ? .text(payload) : self.fail(.invalidText)
            case 0x8: return self.close(masked, header, scratch: scratch)
            case 0x9:
                var ignored = false
                return .ping(Self.unmask(masked, header, into: scratch, isASCII: &ignored))
            default: return .pong
            }
        }
        offset = bytes.count
        return .needsMore
    }

    /// Judges a frame by its header alone, so that what breaks a limit is refused before its payload is awaited.
    private func header(
        in bytes: UnsafeRawBufferPointer, at offset: Int, limits: Limits, allowsCompressed: Bool
    ) -> HeaderResult {
        let available = bytes.count - offset
        guard available >= 2 else { return .incomplete }
        let first = bytes[offset]
        let second = bytes[offset + 1]
        let opcode = first & 0x0F
        let isFinal = first & 0x80 != 0
        let isMasked = second & 0x80 != 0
        // The first reserved bit marks the first frame of a compressed message (RFC 7692 §6).
        let isCompressed = allowsCompressed && first & 0x70 == 0x40 && (opcode == 0x1 || opcode == 0x2)
        guard first & 0x70 == 0 || isCompressed, isMasked == limits.expectsMask else {
            return .violation(.protocolError)
        }
        switch opcode {
        case 0x0: guard self.fragments != nil else { return .violation(.protocolError) }
        case 0x1, 0x2: guard self.fragments == nil else { return .violation(.protocolError) }
        case 0x8, 0x9, 0xA:
            guard isFinal, second & 0x7F <= 125 else { return .violation(.protocolError) }
        default: return .violation(.protocolError)
        }
        var length = UInt64(second & 0x7F)
        var position = offset + 2
        if length == 126 {
            guard available >= 4 else { return .incomplete }
            length = UInt64(UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt16.self)))
            guard length > 125 else { return .violation(.protocolError) }
            position += 2
        } else if length == 127 {
            guard available >= 10 else { return .incomplete }
            length = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self))
            guard length > 0xFFFF, length >> 63 == 0 else { return .violation(.protocolError) }
            position += 8
        }
        if opcode < 0x8 {
            let received = self.fragments?.bytes.count ?? 0
            let limit =
                isCompressed || self.fragments?.isCompressed == true ? limits.maxCompressed : limits.maxPayload
            guard length <= UInt64(max(0, limit - received)) else { return .violation(.tooLarge) }
            let fragment = (self.fragments?.count ?? 0) + 1
            guard isFinal || fragment < limits.maxFragments else { return .tooManyFragments }
        }
        var maskKey: UInt32 = 0
        if isMasked {
            guard position + 4 <= bytes.count else { return .incomplete }
            maskKey = bytes.loadUnaligned(fromByteOffset: position, as: UInt32.self)
            position += 4
        }
        guard length <= UInt64(bytes.count - position) else { return .incomplete }
        return .header(
            Header(
                opcode: opcode, isFinal: isFinal, isCompressed: isCompressed, isMasked: isMasked, maskKey: maskKey,
                payload: position..<(position + Int(length))))
    }

    private mutating func fail(_ code: WebSocketCloseCode) -> WebSocketEvent {
        self.condition = .finished
        self.fragments = nil
        return .violation(code)
    }

    private mutating func close(
        _ masked: UnsafeRawBufferPointer, _ header: Header, scratch: ScratchBuffer
    ) -> WebSocketEvent {
        var ignored = false
        let payload = Self.unmask(masked, header, into: scratch, isASCII: &ignored)
        guard payload.count != 1 else { return self.fail(.protocolError) }
        guard payload.count >= 2 else { return self.finish(code: nil) }
        let code = UInt16(bigEndian: payload.loadUnaligned(as: UInt16.self))
        switch code {
        case 1000...1003, 1007...1014, 3000...4999: break
        default: return self.fail(.protocolError)
        }
        guard UTF8Validation.isValid(UnsafeRawBufferPointer(rebasing: payload[2...])) else {
            return self.fail(.invalidText)
        }
        return self.finish(code: code)
    }

    private mutating func finish(code: UInt16?) -> WebSocketEvent {
        self.condition = .finished
        self.fragments = nil
        return .close(code: code)
    }

    /// Empty fragments grow nothing.
    /// - Returns: false for text that cannot be UTF-8 any more.
    private static func append(
        _ masked: UnsafeRawBufferPointer, _ header: Header, to fragments: Fragments, scratch: ScratchBuffer
    ) -> Bool {
        var ignored = false
        let payload = Self.unmask(masked, header, into: scratch, isASCII: &ignored)
        fragments.bytes.append(contentsOf: payload)
        return !fragments.isText || fragments.isCompressed || fragments.validator.accepts(payload)
    }

    /// The size limit holds for what a message becomes, or a few bytes could fill the memory.
    private mutating func unpack(
        _ packed: UnsafeRawBufferPointer, isText: Bool, _ limits: Limits, _ inflation: Inflation
    ) -> WebSocketEvent {
        switch inflation.inflater.inflate(
            packed, limit: limits.maxPayload, keepsContext: inflation.keepsContext, into: inflation.output)
        {
        case .message(let payload):
            guard isText else { return .binary(payload) }
            return UTF8Validation.isValid(payload) ? .text(payload) : self.fail(.invalidText)
        case .tooLarge: return self.fail(.tooLarge)
        case .corrupt: return self.fail(.invalidText)
        }
    }

    /// Eight bytes a step; tells on the way whether the payload is plain ASCII and needs no further check.
    private static func unmask(
        _ masked: UnsafeRawBufferPointer, _ header: Header, into scratch: ScratchBuffer, isASCII: inout Bool
    ) -> UnsafeRawBufferPointer {
        guard header.isMasked else { return masked }
        let count = masked.count
        let target = scratch.reserve(count)
        let key = UInt64(header.maskKey) << 32 | UInt64(header.maskKey)
        var seen: UInt64 = 0
        var index = 0
        while index + 8 <= count {
            let word = masked.loadUnaligned(fromByteOffset: index, as: UInt64.self) ^ key
            target.storeBytes(of: word, toByteOffset: index, as: UInt64.self)
            seen |= word
            index += 8
        }
        var rest = UInt64(littleEndian: key)  // steps are whole words, so the rest starts at the key's first byte
        while index < count {
            let byte = masked[index] ^ UInt8(truncatingIfNeeded: rest)
            target[index] = byte
            seen |= UInt64(byte)
            rest >>= 8
            index += 1
        }
        isASCII = seen & 0x8080_8080_8080_8080 == 0
        return UnsafeRawBufferPointer(rebasing: target[..<count])
    }
}

@available(*, unavailable) extension WebSocketDecoder: Sendable {}
