internal import AsyncHTTPClient
internal import Foundation
internal import Logging
internal import NIOCore
internal import NIOHTTP1

/// Reads key sets from files and from the network, within limits of size and time.
///
/// An address is resolved here, and the connection goes to the very address that was looked at: what a name resolves to a
/// moment later does not matter. Redirects are not followed.
struct TokenKeyReader: Sendable {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    static let largestSet = 262_144
    /// For everything: resolving, connecting, the answer.
    static let timeout: TimeAmount = .seconds(5)

    private let trust: OutboundTrust
    private let resolve: OutboundPolicy.Resolver

    init(
        trusting trust: OutboundTrust = .system,
        resolve: @escaping OutboundPolicy.Resolver = HostResolver.addresses(of:)
    ) {
        self.trust = trust
        self.resolve = resolve
    }

    func read(_ issuer: TokenIssuer) async throws -> TokenKeySet {
        switch issuer.keys {
        case .text(let text): return try await TokenKeySet(ByteBuffer(string: text), allowsSecrets: true)
        case .file(let path): return try await Self.read(file: path)
        case .url(let text): return try await self.fetch(text, allowsPrivate: issuer.allowsPrivateAddresses)
        }
    }

    private static func read(file path: String) async throws -> TokenKeySet {
        let file = URL(fileURLWithPath: path).resolvingSymlinksInPath()
        let attributes = try FileManager.default.attributesOfItem(atPath: file.path)
        guard attributes[.type] as? FileAttributeType == .typeRegular else {
            throw Failure(description: "\(path) is not a regular file")
        }
        guard let size = (attributes[.size] as? NSNumber)?.intValue, size <= self.largestSet else {
            throw Failure(description: "\(path) has more than \(self.largestSet) bytes")
        }
        let keys = try await TokenKeySet(ByteBuffer(bytes: try Data(contentsOf: file)), allowsSecrets: true)
        let mode = (attributes[.posixPermissions] as? NSNumber)?.intValue ?? 0o777
        guard !keys.hasSecrets || mode & 0o077 == 0 else {
            throw Failure(description: "\(path) holds a shared secret and others may read it; chmod 0600 \(path)")
        }
        return keys
    }

    private func fetch(_ text: String, allowsPrivate: Bool) async throws -> TokenKeySet {
        guard let address = OutboundAddress(text) else { throw Failure(description: "\(text) is not an address") }
        let deadline = NIODeadline.now() + Self.timeout
        let policy = OutboundPolicy(
            allowing: allowsPrivate ? .all : .none, trusting: self.trust, resolve: self.resolve)
        let target = try await policy.destination(of: address)
        let configuration = policy.client(to: target, of: address.host, timeout: Self.timeout)
        // For one request every few minutes: nothing is kept open.
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        let result: Result<ByteBuffer, any Error>
        do {
            result = .success(try await Self.body(of: address.url, client, deadline))
        } catch {
            result = .failure(error)
        }
        try await client.shutdown()
        // Whoever can read the address can read what is there: no secrets.
        return try await TokenKeySet(try result.get(), allowsSecrets: false)
    }

    private static func body(of text: String, _ client: HTTPClient, _ deadline: NIODeadline) async throws -> ByteBuffer
    {
        var request = HTTPClientRequest(url: text)
        request.headers.add(name: "accept", value: "application/json, application/jwk-set+json")
        request.headers.add(name: "user-agent", value: "submergence")
        let response = try await client.execute(request, deadline: deadline)
        guard response.status == .ok else { throw Failure(description: "it answers \(response.status.code)") }
        return try await response.body.collect(upTo: self.largestSet)
    }
}

extension TokenIssuer {
    /// Why the file of its keys cannot be read, if there is one. What is in it is for ``TokenKeyReader``.
    var fileComplaint: StartError? {
        guard case .file(let path) = self.keys, !FileManager.default.isReadableFile(atPath: path) else { return nil }
        return StartError(
            "cannot read the keys of \(self.issuer)", why: "\(path) is not there, or this user may not read it",
            remedy: "Put the issuer's JSON Web Key Set there.", about: ["token-keys"])
    }
}
