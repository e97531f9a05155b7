import NIOCore
import Testing

@testable import Node
@testable import Routing

/// The auth payload of CONNECT (SPEC §8, LC-6; DESIGN §9).
@Suite struct ConnectAuthTests {
    private func auth(_ json: String) -> ConnectAuth {
        var json = json
        return json.withUTF8 { ConnectAuth(UnsafeRawBufferPointer($0)) }
    }

    @Test("SPEC §8: without v it is a plain client; a v that is no supported number is an unsupported version")
    func version() {
        #expect(self.auth("").version == nil)
        #expect(self.auth(#"{"token":"x"}"#).version == nil)
        #expect(self.auth(#"{"v":1}"#).version == 1)
        #expect(self.auth(#"{"v":2}"#).version == 2)
        #expect(self.auth(#"{"v":"1"}"#).version == -1)
        #expect(self.auth(#"{"v":1.5}"#).version == -1)
    }

    @Test("LC-6: an endpoint is 1 to 64 printable characters, else as if absent")
    func endpoint() {
        #expect(self.auth(#"{"endpoint":"tab-1"}"#).endpoint == "tab-1")
        #expect(self.auth(#"{"endpoint":""}"#).endpoint == nil)
        #expect(self.auth(#"{"endpoint":"a b"}"#).endpoint == nil)
        #expect(self.auth(#"{"endpoint":7}"#).endpoint == nil)
        #expect(self.auth("{\"endpoint\":\"\(String(repeating: "x", count: 65))\"}").endpoint == nil)
    }

    @Test("ID-4, SOCKETIO §14.1.7: what is none of the application's is stripped, the rest stays byte for byte")
    func stripped() {
        func left(_ json: String, without names: [StaticString]) -> String {
            var json = json
            let kept = json.withUTF8 { ConnectAuth.payload(UnsafeRawBufferPointer($0), without: names) }
            return String(buffer: kept)
        }
        let whole = #"{"a": 1,"domestic":"x","token":"y","pid":"z","offset":"o","b":{"token":"mine"}}"#
        #expect(left(whole, without: []) == whole)
        #expect(
            left(whole, without: ["domestic", "token", "pid", "offset"]) == #"{"a":1,"b":{"token":"mine"}}"#)
        #expect(left(#"{"token":"y"}"#, without: ["token"]) == "{}")
        #expect(left("", without: ["token"]).isEmpty)
        #expect(self.auth(#"{"token":"y","domestic":"x"}"#).token == "y")
        #expect(self.auth(#"{"token":7}"#).token == nil)
    }

    @Test("ID-18: who may connect without being logged in")
    func requirements() {
        for (requirement, guest, idle) in [
            (.active, false, false), (.identified, false, true), (.nothing, true, true),
        ] as [(LiveRequirement, Bool, Bool)] {
            #expect(requirement.admits(.guest) == guest)
            #expect(requirement.admits(.idle) == idle)
            // A token that is not taken, a foreign page, and what cannot be known now: never as nobody.
            #expect(!requirement.admits(.refused) && !requirement.admits(.foreign) && !requirement.admits(.unavailable))
        }
        #expect(LiveOptions().liveRequires == .active)
    }

    @Test("DESIGN §9: development mode believes a user, and a client if there is one")
    func believed() {
        let named = self.auth(#"{"user":"alice","client":"phone"}"#).believed(in: "localhost")
        #expect(named?.key == RouteKey(domain: "localhost", user: "alice"))
        #expect(named?.client == "phone")
        #expect(self.auth(#"{"user":"alice"}"#).believed(in: "localhost")?.client == "default")
        #expect(self.auth(#"{"user":"a\nb"}"#).believed(in: "localhost") == nil)
        #expect(self.auth(#"{"user":""}"#).believed(in: "localhost") == nil)
        #expect(self.auth(#"{"user":7}"#).believed(in: "localhost") == nil)
        #expect(self.auth(#"{"user":"\ud83d"}"#).believed(in: "localhost") == nil)
    }
}
