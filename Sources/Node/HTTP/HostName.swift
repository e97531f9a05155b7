import Foundation

/// A host and port in canonical form (SPEC TR-1).
///
/// On the wire a host is ASCII: browsers send internationalised names as A-labels (`xn--…`), which pass through, and
/// any other byte is refused. A *configured* name may be written in its own script: it is put into NFC, lower-cased and
/// each label encoded by Punycode.
package struct HostName: Sendable, Hashable {
    /// Lower case, without trailing dot; an IPv6 address without its brackets.
    package let name: String
    /// Nil when none was named.
    package let port: Int?

    private init(name: String, port: Int?) {
        self.name = name
        self.port = port
    }

    /// - Parameter text: the value of a `Host` field, or the authority of an origin.
    /// - Returns: nil for what is not a host with an optional port.
    package init?(_ text: some StringProtocol) {
        self.init(ascii: Substring(text).utf8)
    }

    private init?(ascii text: Substring.UTF8View) {
        guard text.count <= 300, text.allSatisfy({ $0 < 0x80 }) else { return nil }
        if text.first == UInt8(ascii: "[") {
            guard let end = text.firstIndex(of: UInt8(ascii: "]")),
                let address = IPAddress(Substring(text[text.index(after: text.startIndex)..<end])), address.isIPv6,
                let port = Self.port(text[text.index(after: end)...])
            else { return nil }
            self.init(name: address.text, port: port.number)
            return
        }
        let colon = text.firstIndex(of: UInt8(ascii: ":")) ?? text.endIndex
        guard let port = Self.port(text[colon...]), let name = Self.canonical(text[..<colon]) else { return nil }
        self.init(name: name, port: port.number)
    }

    /// A name from the configuration, perhaps in its own script.
    package static func configured(_ text: String) -> String? {
        let labels = text.precomposedStringWithCanonicalMapping.lowercased()
            .split(separator: ".", omittingEmptySubsequences: false)
        var encoded: [String] = []
        for label in labels {
            if label.utf8.allSatisfy({ $0 < 0x80 }) {
                encoded.append(String(label))
            } else {
                guard let code = Punycode.encode(label) else { return nil }
                encoded.append("xn--" + code)
            }
        }
        let name = encoded.joined(separator: ".")
        if let address = IPAddress(name) { return address.text }
        return self.canonical(name[...].utf8)
    }

    /// Names that never leave the machine. A name that merely *resolves* to loopback is not one: that is DNS rebinding.
    package var isLoopback: Bool {
        if let address = IPAddress(self.name) { return address.isLoopback }
        return self.name == "localhost" || self.name.hasSuffix(".localhost")
    }

    /// - Parameter text: ASCII.
    private static func canonical(_ text: Substring.UTF8View) -> String? {
        var bytes = text
        if bytes.last == UInt8(ascii: ".") { bytes.removeLast() }
        guard (1...253).contains(bytes.count) else { return nil }
        var start = bytes.startIndex
        var isAddress = false
        while true {
            let end = bytes[start...].firstIndex(of: UInt8(ascii: ".")) ?? bytes.endIndex
            let label = bytes[start..<end]
            guard (1...63).contains(label.count), label.first != UInt8(ascii: "-"), label.last != UInt8(ascii: "-"),
                label.allSatisfy(self.isLabelByte)
            else { return nil }
            isAddress = label.allSatisfy { (0x30...0x39).contains($0) }
            guard end != bytes.endIndex else { break }
            start = bytes.index(after: end)
        }
        let name = Substring(bytes)
        // What ends in a number is read as an address by browsers; only its one true form is a name here.
        if isAddress { return IPAddress(name)?.text }
        return name.utf8.contains { $0 &- UInt8(ascii: "A") < 26 } ? name.lowercased() : String(name)
    }

    private static func isLabelByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }

    /// - Parameter text: empty, or a colon with digits behind it.
    private static func port(_ text: Substring.UTF8View) -> (number: Int?, Void)? {
        guard let first = text.first else { return (nil, ()) }
        let digits = text.dropFirst()
        guard first == UInt8(ascii: ":"), (1...5).contains(digits.count),
            digits.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(Substring(digits)),
            (1...65535).contains(number)
        else { return nil }
        return (number, ())
    }
}
