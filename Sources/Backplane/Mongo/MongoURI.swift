/// What this program has to change in a connection string; the driver parses the rest.
package enum MongoURI {
    /// With `***` in place of the password, for logs.
    package static func redacted(_ uri: String) -> String {
        guard let parts = Parts(uri), let credentials = parts.credentials,
            let colon = credentials.firstIndex(of: ":")
        else { return uri }
        return "\(parts.scheme)\(credentials[..<colon]):***@\(parts.hosts)\(parts.rest)"
    }

    /// The URI of a shard's own replica set: its hosts, with the credentials and TLS options of the cluster's URI.
    /// - Parameter host: as in `config.shards`: `set/host:port,host:port`.
    package static func shard(_ host: String, of uri: String) -> String? {
        guard let parts = Parts(uri), let slash = host.firstIndex(of: "/") else { return nil }
        let set = host[..<slash]
        let dropped: Set = ["replicaset", "directconnection", "loadbalanced", "srvservicename", "srvmaxhosts"]
        var options = parts.options.filter { option in
            !dropped.contains(option.prefix { $0 != "=" }.lowercased())
        }
        if parts.scheme == Self.srv, !options.contains(where: { $0.lowercased().hasPrefix("tls=") }) {
            options.append("tls=true")
        }
        options.append("replicaSet=\(set)")
        let credentials = parts.credentials.map { "\($0)@" } ?? ""
        let database = parts.database.isEmpty ? "" : parts.database
        return "mongodb://\(credentials)\(host[host.index(after: slash)...])/\(database)?"
            + options.joined(separator: "&")
    }

    private static let srv: Substring = "mongodb+srv://"

    private struct Parts {
        var scheme: Substring
        var credentials: Substring?
        var hosts: Substring
        /// From the slash on.
        var rest: Substring

        init?(_ uri: String) {
            guard let scheme = ["mongodb://", MongoURI.srv].first(where: { uri.hasPrefix($0) }) else { return nil }
            self.scheme = scheme
            let body = uri.dropFirst(scheme.count)
            // Slash and at sign are percent-encoded inside credentials.
            let end = body.firstIndex { $0 == "/" || $0 == "?" } ?? body.endIndex
            let authority = body[..<end]
            self.rest = body[end...]
            if let at = authority.lastIndex(of: "@") {
                self.credentials = authority[..<at]
                self.hosts = authority[authority.index(after: at)...]
            } else {
                self.credentials = nil
                self.hosts = authority
            }
        }

        var database: Substring {
            guard self.rest.hasPrefix("/") else { return "" }
            return self.rest.dropFirst().prefix { $0 != "?" }
        }

        var options: [String] {
            guard let mark = self.rest.firstIndex(of: "?") else { return [] }
            return self.rest[self.rest.index(after: mark)...].split(separator: "&").map(String.init)
        }
    }
}
