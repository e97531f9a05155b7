/// What client and server have agreed on about permessage-deflate (RFC 7692 §7.1), and how they come to it.
package struct DeflateAgreement: Equatable, Sendable {
    /// What this server is ready for.
    package struct Policy: Equatable, Sendable {
        /// Whether messages may refer to earlier ones. Costs memory per connection for as long as it lives.
        package var keepsContext: Bool
        /// The widest window, 9 to 15.
        package var windowBits: Int

        package init(keepsContext: Bool = false, windowBits: Int = 15) {
            self.keepsContext = keepsContext
            self.windowBits = windowBits
        }
    }

    package static let name = "permessage-deflate"

    /// The window that this side compresses with, 9 to 15.
    package let windowBits: Int
    /// Whether this side's messages may refer to earlier ones.
    package let keepsContext: Bool
    /// Whether the client's may.
    package let clientKeepsContext: Bool
    private let namesWindow: Bool
    /// A narrower window for the client, where it can be told to use one.
    private let clientWindowBits: Int?

    /// The first offer that can be accepted; nil where none can, and the connection goes without.
    package static func agree(on offers: [WebSocketExtension], policy: Policy) -> DeflateAgreement? {
        for offer in offers where offer.name == self.name {
            if let agreement = DeflateAgreement(offer, policy: policy) { return agreement }
        }
        return nil
    }

    /// An offer with an unknown, repeated or malformed parameter is declined (RFC 7692 §7.1).
    private init?(_ offer: WebSocketExtension, policy: Policy) {
        var seen: Set<String> = []
        var serverKeeps = policy.keepsContext
        var clientKeeps = policy.keepsContext
        var serverBits: Int?
        var clientBits: Int?
        for parameter in offer.parameters {
            guard seen.insert(parameter.name).inserted else { return nil }
            switch parameter.name {
            case "server_no_context_takeover":
                guard parameter.value == nil else { return nil }
                serverKeeps = false
            case "client_no_context_takeover":
                guard parameter.value == nil else { return nil }
                clientKeeps = false
            case "server_max_window_bits":
                // zlib has no raw form of 8 bits, and a wider window than asked for is not allowed.
                guard let bits = Self.windowBits(parameter.value), bits > 8 else { return nil }
                serverBits = bits
            case "client_max_window_bits":
                guard parameter.value != nil else {
                    clientBits = 15
                    break
                }
                guard let bits = Self.windowBits(parameter.value) else { return nil }
                clientBits = bits
            default: return nil
            }
        }
        self.windowBits = min(serverBits ?? 15, policy.windowBits)
        self.namesWindow = serverBits != nil || self.windowBits < 15
        self.keepsContext = serverKeeps
        self.clientKeepsContext = clientKeeps
        self.clientWindowBits = policy.windowBits < 15 ? clientBits.map { min($0, policy.windowBits) } : nil
    }

    /// Decimal without leading zeros, 8 to 15.
    private static func windowBits(_ value: String?) -> Int? {
        guard let value, value.first != "0", value.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let bits = Int(value), (8...15).contains(bits)
        else { return nil }
        return bits
    }

    /// The value of `Sec-WebSocket-Extensions` in the 101.
    package var response: String {
        var text = Self.name
        if !self.keepsContext { text += "; server_no_context_takeover" }
        if !self.clientKeepsContext { text += "; client_no_context_takeover" }
        if self.namesWindow { text += "; server_max_window_bits=\(self.windowBits)" }
        if let bits = self.clientWindowBits { text += "; client_max_window_bits=\(bits)" }
        return text
    }
}
