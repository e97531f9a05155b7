package import Routing

/// Where a request comes from (SPEC TR-2): the transport's peer, or what a trusted proxy says of it.
package struct ProxyTrust: Sendable {
    /// The two loopback nets.
    package static let loopback = ["127.0.0.0/8", "::1/128"]

    package struct Source: Sendable, Hashable {
        /// The client's address; the peer's text where that is no IP address (a Unix socket).
        package let address: String
        /// Whom limits per address count it for: nobody where it is the address of a trusted proxy, or none at all.
        package let key: AddressKey
        /// Whether the client's connection was encrypted. The node itself speaks plain HTTP (TR-3).
        package let isSecure: Bool

        package init(address: String, isSecure: Bool, key: AddressKey = .none) {
            self.address = address
            self.isSecure = isSecure
            self.key = key
        }
    }

    package struct InvalidBlock: Error, Sendable, Equatable, CustomStringConvertible {
        package let text: String
        package var description: String { "\(self.text) is not an address or a CIDR block" }
    }

    private let blocks: [IPAddress.Block]

    package init(_ trusted: [String] = Self.loopback) throws(InvalidBlock) {
        var blocks: [IPAddress.Block] = []
        for text in trusted {
            guard let block = IPAddress.Block(text) else { throw InvalidBlock(text: text) }
            blocks.append(block)
        }
        self.blocks = blocks
    }

    /// - Parameter peer: the address of the transport, without port; empty, or a path, for a Unix socket.
    package func source(_ headers: some HeaderView, peer: String) -> Source {
        guard let address = IPAddress(peer) else { return Source(address: peer, isSecure: false) }
        return self.source(headers, peer: address)
    }

    /// - Parameter address: of the transport.
    package func source(_ headers: some HeaderView, peer address: IPAddress) -> Source {
        guard self.isTrusted(address) else {
            return Source(address: address.text, isSecure: false, key: address.key)
        }
        let client = self.forwarded(headers) ?? address
        return Source(
            address: client.text, isSecure: headers.single("x-forwarded-proto")?.lowercased() == "https",
            key: self.isTrusted(client) ? .none : client.key)
    }

    /// The right-most address that is not trusted; the left-most where all are. Nil when a value is malformed or
    /// absent.
    private func forwarded(_ headers: some HeaderView) -> IPAddress? {
        let chain = headers.values("x-forwarded-for").flatMap {
            $0.split(separator: ",", omittingEmptySubsequences: false)
        }
        guard !chain.isEmpty else { return headers.single("x-real-ip").flatMap { IPAddress(Self.trimmed($0[...])) } }
        var last: IPAddress?
        for text in chain.reversed() {
            guard let address = IPAddress(Self.trimmed(text)) else { return nil }
            guard self.isTrusted(address) else { return address }
            last = address
        }
        return last
    }

    private func isTrusted(_ address: IPAddress) -> Bool {
        self.blocks.contains { $0.contains(address) }
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text
        while let edge = text.first, edge == " " || edge == "\t" { text.removeFirst() }
        while let edge = text.last, edge == " " || edge == "\t" { text.removeLast() }
        return text
    }
}
