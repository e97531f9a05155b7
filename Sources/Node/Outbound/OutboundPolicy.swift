internal import AsyncHTTPClient
internal import NIOCore

/// Decides where requests of the node's own may go: an address that somebody has configured must not lead into the node's
/// own network (DESIGN §7).
///
/// A name is resolved here, all its addresses are looked at, and the connection goes to the very one that ``destination(of:)``
/// returns: what the name resolves to a moment later does not matter.
struct OutboundPolicy: Sendable {
    /// Gives the texts of a host's addresses.
    typealias Resolver = @Sendable (_ host: String) async throws -> [String]

    /// Addresses that are not public, and to which requests may go all the same, also without TLS.
    enum Allowance: Sendable {
        case none
        case blocks([IPAddress.Block])
        case all
    }

    struct Refusal: Error, Equatable, CustomStringConvertible {
        let description: String
    }

    private let allowance: Allowance
    private let trust: OutboundTrust
    private let resolve: Resolver

    init(
        allowing allowance: Allowance, trusting trust: OutboundTrust = .system,
        resolve: @escaping Resolver = HostResolver.addresses(of:)
    ) {
        self.allowance = allowance
        self.trust = trust
        self.resolve = resolve
    }

    /// The address that is connected to. All that the name has must be allowed: one that has both kinds is no name to trust.
    ///
    /// - Throws: ``Refusal``, or what the resolver throws.
    func destination(of address: OutboundAddress) async throws -> IPAddress {
        let texts = try await self.resolve(address.host)
        let found = texts.compactMap { IPAddress($0) }
        guard let first = found.first, found.count == texts.count else {
            throw Refusal(description: "\(address.host) has no address, or one that is none")
        }
        for other in found {
            let isAllowed = self.allows(other)
            guard isAllowed || other.isPublic else {
                throw Refusal(description: "\(address.host) has an address that is not public")
            }
            guard isAllowed || address.isSecure else {
                throw Refusal(
                    description: "\(address.host) is asked without https, which is for allowed addresses only")
            }
        }
        return first
    }

    private func allows(_ address: IPAddress) -> Bool {
        switch self.allowance {
        case .none: false
        case .blocks(let blocks): blocks.contains { $0.contains(address) }
        case .all: true
        }
    }

    /// For requests to one host at an address that was looked at. Redirects are not followed, proxies are not asked.
    func client(to address: IPAddress, of host: String, timeout: TimeAmount) -> HTTPClient.Configuration {
        var configuration = HTTPClient.Configuration()
        configuration.dnsOverride = [host: address.text]
        configuration.redirectConfiguration = .disallow
        configuration.timeout.connect = timeout
        configuration.timeout.read = timeout
        configuration.httpVersion = .http1Only
        self.trust.apply(to: &configuration)
        return configuration
    }
}
