import Foundation
import NIOCore

/// A server's address, taken from a URL and resolved once: thousands of connections ask no resolver.
struct LoadTarget: Sendable {
    let url: String
    /// What the Host header says.
    let authority: String
    /// Path and query of the request.
    let requestTarget: String
    let address: SocketAddress

    enum Failure: Error, CustomStringConvertible {
        case malformed(String)
        case unresolved(String, any Error)

        var description: String {
            switch self {
            case .malformed(let url): "\(url) is no URL of a server: expected http://HOST:PORT (TLS is not supported)"
            case .unresolved(let url, let error): "the host of \(url) cannot be resolved: \(error)"
            }
        }
    }

    /// - Parameter url: `http://` or `ws://`, with host and perhaps port and path; the path defaults to `/socket.io/`.
    init(_ url: String) throws(Failure) {
        try self.init(url, defaultPath: "/socket.io/", query: "?EIO=4&transport=websocket")
    }

    /// - Parameter metrics: URL of a Prometheus page; the path defaults to `/metrics`.
    init(metrics url: String) throws(Failure) {
        try self.init(url, defaultPath: "/metrics", query: "")
    }

    private init(_ url: String, defaultPath: String, query: String) throws(Failure) {
        guard let parts = URLComponents(string: url), let scheme = parts.scheme?.lowercased(),
            scheme == "http" || scheme == "ws", let host = parts.host, !host.isEmpty
        else { throw .malformed(url) }
        let port = parts.port ?? 80
        guard (1...65_535).contains(port) else { throw .malformed(url) }
        self.url = url
        self.authority = parts.port == nil ? host : "\(host):\(port)"
        let path = parts.percentEncodedPath
        self.requestTarget = (path.isEmpty || path == "/" ? defaultPath : path) + query
        let name = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
        do {
            self.address = try SocketAddress.makeAddressResolvingHost(name, port: port)
        } catch {
            throw .unresolved(url, error)
        }
    }
}
