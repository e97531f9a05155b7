import NIOCore
import Testing

/// A Socket.IO client that polls, each request on a connection of its own.
struct PollingTestClient {
    let address: SocketAddress
    /// Further header lines, each with its end.
    let fields: String
    let sid: String

    /// - Throws: ``Refused`` for anything but 200.
    static func open(_ address: SocketAddress, fields: String = "") async throws -> PollingTestClient {
        let body = try await self.request("GET", "", fields, nil, to: address)
        let sid = try #require(body.firstMatch(of: /"sid":"([^"]+)"/)?.1)
        return PollingTestClient(address: address, fields: fields, sid: String(sid))
    }

    struct Refused: Error {
        let status: String
    }

    func post(_ packet: String) async throws {
        _ = try await Self.request("POST", "&sid=\(self.sid)", self.fields, packet, to: self.address)
    }

    /// Polls until a packet comes that begins like this.
    func receive(_ prefix: String) async throws -> String {
        while true {
            let body = try await Self.request("GET", "&sid=\(self.sid)", self.fields, nil, to: self.address)
            if let found = body.split(separator: "\u{1e}").first(where: { $0.hasPrefix(prefix) }) {
                return String(found)
            }
        }
    }

    /// Joins `/` as a user, which development mode believes.
    func join(as user: String = "alice") async throws {
        try await self.post(#"40{"user":"\#(user)","client":"phone"}"#)
        _ = try await self.receive("40{")
    }

    private static func request(
        _ method: String, _ query: String, _ fields: String, _ body: String?, to address: SocketAddress
    ) async throws -> String {
        let length = body.map { "Content-Length: \($0.utf8.count)\r\n" } ?? ""
        let answer = try await StationTests.request(
            "\(method) /socket.io/?EIO=4&transport=polling\(query) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                + "\(fields)\(length)\r\n\(body ?? "")", to: address)
        let status = answer.split(separator: "\r\n").first.map(String.init) ?? ""
        guard status.hasPrefix("HTTP/1.1 200 ") else { throw Refused(status: status) }
        return answer.firstRange(of: "\r\n\r\n").map { String(answer[$0.upperBound...]) } ?? ""
    }
}
