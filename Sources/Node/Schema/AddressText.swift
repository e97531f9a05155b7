/// Texts that name somebody or something.
enum AddressText {
    /// A mailbox of RFC 5321 §4.1.2 in ASCII.
    static func isEmail(_ text: String) -> Bool {
        guard let at = text.lastIndex(of: "@"), text.utf8.count <= 254 else { return false }
        let local = Array(text[..<at].utf8)
        let domain = text[text.index(after: at)...]
        guard (1...64).contains(local.count), self.isLocalPart(local) else { return false }
        if domain.hasPrefix("["), domain.hasSuffix("]") {
            let literal = domain.dropFirst().dropLast()
            if literal.lowercased().hasPrefix("ipv6:") { return self.isIPv6(String(literal.dropFirst(5))) }
            return self.isIPv4(String(literal))
        }
        let labels = domain.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        return !labels.isEmpty && labels.allSatisfy { self.isLabel(Array($0)) }
    }

    private static func isLocalPart(_ bytes: [UInt8]) -> Bool {
        if bytes.first == UInt8(ascii: "\"") {
            guard bytes.count >= 3, bytes.last == UInt8(ascii: "\"") else { return false }
            var rest = bytes[1..<(bytes.count - 1)]
            while let byte = rest.popFirst() {
                guard (0x20...0x7E).contains(byte), byte != UInt8(ascii: "\"") else { return false }
                if byte == UInt8(ascii: "\\") {
                    guard let escaped = rest.popFirst(), (0x20...0x7E).contains(escaped) else { return false }
                }
            }
            return true
        }
        let special = Set("!#$%&'*+-/=?^_`{|}~".utf8)
        return bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy { atom in
            !atom.isEmpty && atom.allSatisfy { self.isAlphanumeric($0) || special.contains($0) }
        }
    }

    private static func isLabel(_ bytes: [UInt8]) -> Bool {
        (1...63).contains(bytes.count) && bytes.first != UInt8(ascii: "-") && bytes.last != UInt8(ascii: "-")
            && bytes.allSatisfy { self.isAlphanumeric($0) || $0 == UInt8(ascii: "-") }
    }

    /// `8-4-4-4-12` hexadecimal digits (RFC 9562 §4).
    static func isUUID(_ bytes: [UInt8]) -> Bool {
        bytes.count == 36
            && bytes.enumerated().allSatisfy { index, byte in
                [8, 13, 18, 23].contains(index) ? byte == UInt8(ascii: "-") : self.isHexadecimal(byte)
            }
    }

    /// Four decimal numbers without needless zeros.
    static func isIPv4(_ text: String) -> Bool {
        !text.utf8.contains { $0 == 0 || $0 == UInt8(ascii: ":") } && IPAddress(text) != nil
    }

    /// RFC 4291 §2.2, without zone.
    static func isIPv6(_ text: String) -> Bool {
        text.contains(":") && !text.utf8.contains(0) && IPAddress(text) != nil
    }

    /// A scheme, and behind it nothing that RFC 3986 does not allow.
    static func isURI(_ bytes: [UInt8]) -> Bool {
        guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")), let first = bytes.first, self.isLetter(first),
            bytes[..<colon].allSatisfy({ self.isAlphanumeric($0) || "+-.".utf8.contains($0) })
        else { return false }
        var rest = bytes[(colon + 1)...]
        if rest.starts(with: "//".utf8) {
            let authority = rest.dropFirst(2).prefix { !"/?#".utf8.contains($0) }
            rest = rest.dropFirst(2 + authority.count)
            guard self.isAuthority(authority) else { return false }
        }
        let parts = rest.split(separator: UInt8(ascii: "#"), omittingEmptySubsequences: false)
        return parts.count <= 2 && parts.allSatisfy { self.isMadeOf($0, "-._~!$&'()*+,;=:@/?") }
    }

    private static func isAuthority(_ bytes: ArraySlice<UInt8>) -> Bool {
        var host = bytes
        if let at = bytes.lastIndex(of: UInt8(ascii: "@")) {
            guard self.isMadeOf(bytes[..<at], "-._~!$&'()*+,;=:") else { return false }
            host = bytes[(at + 1)...]
        }
        if host.first == UInt8(ascii: "[") {
            guard let end = host.firstIndex(of: UInt8(ascii: "]")) else { return false }
            let port = host[(end + 1)...]
            return self.isIPv6(String(decoding: host[(host.startIndex + 1)..<end], as: UTF8.self))
                && (port.isEmpty || (port.first == UInt8(ascii: ":") && self.isNumber(port.dropFirst())))
        }
        let parts = host.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        return parts.count <= 2 && self.isMadeOf(parts.first ?? [], "-._~!$&'()*+,;=")
            && (parts.count < 2 || self.isNumber(parts[1]))
    }

    /// Letters, digits, percent-encoded bytes and those named.
    private static func isMadeOf(_ bytes: ArraySlice<UInt8>, _ others: String) -> Bool {
        var rest = bytes
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%") {
                guard let high = rest.popFirst(), let low = rest.popFirst(), self.isHexadecimal(high),
                    self.isHexadecimal(low)
                else { return false }
            } else if !self.isAlphanumeric(byte), !others.utf8.contains(byte) {
                return false
            }
        }
        return true
    }

    private static func isNumber(_ bytes: ArraySlice<UInt8>) -> Bool {
        bytes.allSatisfy { (0x30...0x39).contains($0) }
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        self.isLetter(byte) || (0x30...0x39).contains(byte)
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x46).contains(byte) || (0x61...0x66).contains(byte)
    }
}
