import Testing

@testable import Wire

@Suite struct WireDeflateAgreementTests {
    private func response(
        _ offer: String, keepsContext: Bool = false, windowBits: Int = 15
    ) -> String? {
        let offers = WireFixture.withBytes(offer) { WebSocketExtension.parse($0) } ?? []
        return DeflateAgreement.agree(on: offers, policy: .init(keepsContext: keepsContext, windowBits: windowBits))?
            .response
    }

    private static let bare = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

    @Test(
        "RFC 7692 §7.1: without context takeover, whatever else is asked for",
        arguments: [
            ("permessage-deflate", ""),
            ("permessage-deflate; client_max_window_bits", ""),
            ("permessage-deflate; client_max_window_bits=8", ""),
            ("permessage-deflate; server_no_context_takeover; client_no_context_takeover", ""),
            ("permessage-deflate; server_max_window_bits=15", "; server_max_window_bits=15"),
            ("permessage-deflate; server_max_window_bits=\"10\"", "; server_max_window_bits=10"),
            ("x-webkit-deflate-frame, permessage-deflate; server_max_window_bits=9", "; server_max_window_bits=9"),
        ])
    func accepted(offer: String, more: String) {
        #expect(self.response(offer) == Self.bare + more)
    }

    @Test(
        "RFC 7692 §7.1: an invalid offer is declined, and the next one counts",
        arguments: [
            "server_max_window_bits", "server_max_window_bits=8", "server_max_window_bits=7",
            "server_max_window_bits=16", "server_max_window_bits=09", "server_max_window_bits=+9",
            "server_max_window_bits=a", "client_max_window_bits=0", "client_max_window_bits=16",
            "client_max_window_bits=010", "server_no_context_takeover=1", "client_no_context_takeover=true", "unknown",
            "server_no_context_takeover; server_no_context_takeover",
            "server_max_window_bits=10; server_max_window_bits=11",
            "client_max_window_bits; client_max_window_bits=10",
        ])
    func declined(parameters: String) {
        let offer = "permessage-deflate; \(parameters)"
        #expect(self.response(offer) == nil)
        #expect(self.response(offer + ", permessage-deflate") == Self.bare)
    }

    @Test("Other extensions are declined", arguments: ["permessage-bzip2", "Permessage-Deflate", "deflate-frame"])
    func others(offer: String) {
        #expect(self.response(offer) == nil)
    }

    @Test("RFC 7692 §7.1: with context takeover, the client has the last word on each side")
    func takeover() {
        #expect(self.response("permessage-deflate", keepsContext: true) == "permessage-deflate")
        #expect(
            self.response("permessage-deflate; server_no_context_takeover", keepsContext: true)
                == "permessage-deflate; server_no_context_takeover")
        #expect(
            self.response("permessage-deflate; client_no_context_takeover", keepsContext: true)
                == "permessage-deflate; client_no_context_takeover")
    }

    @Test("RFC 7692 §7.1.2: a narrower window is named, and asked of a client only that understands it")
    func narrow() {
        #expect(self.response("permessage-deflate", windowBits: 11) == Self.bare + "; server_max_window_bits=11")
        #expect(
            self.response("permessage-deflate; server_max_window_bits=10; client_max_window_bits", windowBits: 11)
                == Self.bare + "; server_max_window_bits=10; client_max_window_bits=11")
        #expect(
            self.response("permessage-deflate; client_max_window_bits=9", windowBits: 11)
                == Self.bare + "; server_max_window_bits=11; client_max_window_bits=9")
    }
}
