import HTTPTypes

/// Whether a request comes from a page of the very listener that it goes to.
struct OriginCheck: Sendable {
    /// - Parameter isSecure: whether the browser's connection is encrypted: by a proxy that says so.
    static func isOwn(_ head: some HeaderView, isSecure: Bool) -> Bool {
        if let site = head.single("sec-fetch-site")?.lowercased(), site != "same-origin", site != "none" {
            return false
        }
        guard let host = head.single("host").flatMap({ HostName($0) }) else { return false }
        let origins = head.values("origin")
        guard !origins.isEmpty else { return true }
        guard origins.count == 1 else { return false }
        let scheme = isSecure ? "https://" : "http://"
        let origin = origins[0].lowercased()
        guard origin.hasPrefix(scheme), let named = HostName(origin.dropFirst(scheme.count)) else { return false }
        let usual = isSecure ? 443 : 80
        return named.name == host.name && (named.port ?? usual) == (host.port ?? usual)
    }

    /// The same for a request that changes something: then browsers always say where it comes from.
    static func isProven(_ head: some HeaderView, isSecure: Bool) -> Bool {
        head.values("origin").count == 1 && self.isOwn(head, isSecure: isSecure)
    }
}
