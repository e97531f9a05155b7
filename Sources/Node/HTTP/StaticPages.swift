internal import Crypto
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import Wire

/// Pages that are part of the binary, with their headers: no file beside the executable is needed to serve them. Text is
/// compressed for who accepts gzip.
package struct StaticPages: Sendable {
    private struct Page: Sendable {
        let type: String
        let plain: Form
        /// Nil for what is compressed already.
        let compressed: Form?
    }

    /// What goes over the wire.
    private struct Form: Sendable {
        let body: ByteBuffer
        /// Strong: a digest of the page, and how it is encoded.
        let tag: String
    }

    /// What a page may do: use what this server serves, and be in no frame (DESIGN §7).
    private static let policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        + "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

    private let prefix: String
    private let pages: [String: Page]
    private let referrer: String

    /// - Parameters:
    ///   - prefix: a path with a slash at both ends; `index.html` answers there.
    ///   - files: by name.
    ///   - referrer: the `Referrer-Policy`. Under `no-referrer` forms come without an `Origin`.
    package init(prefix: String, files: [String: [UInt8]], referrer: String = "no-referrer") {
        self.referrer = referrer
        precondition(prefix.hasPrefix("/") && prefix.hasSuffix("/"), "a prefix is a folder")
        self.prefix = prefix
        // Once, and small rather than fast: nothing in these pages is secret, so that length tells nobody anything.
        let deflater = Deflater(.gzip, level: 9)
        self.pages = files.reduce(into: [:]) { pages, file in
            let digest = Base64URLText.encode(SHA256.hash(data: file.value).prefix(18))
            let type = Self.type(of: file.key)
            let compressed = type == Self.opaque ? nil : file.value.withUnsafeBytes { deflater.compress(body: $0) }
            pages[file.key] = Page(
                type: type, plain: Form(body: ByteBuffer(bytes: file.value), tag: "\"\(digest)\""),
                compressed: compressed.map { Form(body: $0, tag: "\"\(digest)-gzip\"") })
        }
    }

    /// The demo at `/demo/` (DESIGN §9: development mode only), from `Client/demo`.
    package static func demo() -> StaticPages {
        StaticPages(
            prefix: "/demo/",
            files: [
                "index.html": PackageResources.index_html, "demo.css": PackageResources.demo_css,
                "demo.js": PackageResources.demo_js, "call.js": PackageResources.call_js,
            ])
    }

    /// The browser module (CLIENT.md), from `Client`: in every mode, so that pages need no copy of their own.
    package static func clientModule() -> StaticPages {
        StaticPages(
            prefix: "/",
            files: [
                "submergence.js": PackageResources.submergence_js,
                "submergence.d.ts": PackageResources.submergence_d_ts,
            ])
    }

    package var names: Set<String> { Set(self.pages.keys) }

    /// - Parameter path: raw, without query.
    /// - Returns: nil for a path outside these pages.
    func response(_ method: HTTPRequest.Method, _ path: String, _ headers: some HeaderView) -> Response? {
        if path + "/" == self.prefix, self.pages["index.html"] != nil {
            return Response(status: .permanentRedirect, headers: [.location: self.prefix])
        }
        guard path.hasPrefix(self.prefix) else { return nil }
        let name = String(path.dropFirst(self.prefix.count))
        guard let page = self.pages[name.isEmpty ? "index.html" : name] else { return nil }
        guard method == .get || method == .head else {
            return Response(status: .methodNotAllowed, headers: [.allow: "GET, HEAD"])
        }
        let encoding = page.compressed == nil ? nil : ContentEncoding.negotiate(headers.values("accept-encoding"))
        let form = (encoding == .gzip ? page.compressed : nil) ?? page.plain
        var fields = Self.guarded(referrer: self.referrer)
        fields[.eTag] = form.tag
        fields[.cacheControl] = "no-cache"
        if page.compressed != nil { fields[.vary] = "Accept-Encoding" }
        guard !Self.holds(headers.values("if-none-match"), form.tag) else {
            return Response(status: .notModified, headers: fields)
        }
        fields[.contentType] = page.type
        if encoding == .gzip { fields[.contentEncoding] = "gzip" }
        guard method == .get else {
            fields[.contentLength] = String(form.body.readableBytes)
            return Response(status: .ok, headers: fields)
        }
        return Response(status: .ok, headers: fields, body: ResponseBody(byteBuffer: form.body))
    }

    /// What every page of ours is sent with.
    static func guarded(referrer: String) -> HTTPFields {
        var fields: HTTPFields = [.contentSecurityPolicy: self.policy, .xContentTypeOptions: "nosniff"]
        fields[.xFrameOptions] = "DENY"
        fields[.referrerPolicy] = referrer
        return fields
    }

    /// The weak comparison of RFC 9110 §13.1.2.
    private static func holds(_ values: [String], _ tag: String) -> Bool {
        values.contains { value in
            value.split(separator: ",").contains { candidate in
                var candidate = Substring(candidate.drop { $0 == " " })
                while candidate.last == " " { candidate.removeLast() }
                if candidate.hasPrefix("W/") { candidate = candidate.dropFirst(2) }
                return candidate == "*" || candidate == tag
            }
        }
    }

    private static let opaque = "application/octet-stream"

    private static func type(of name: String) -> String {
        switch name.split(separator: ".").last {
        case "html": "text/html; charset=utf-8"
        case "css": "text/css; charset=utf-8"
        case "js": "text/javascript; charset=utf-8"
        // TypeScript has no type of its own.
        case "ts": "text/plain; charset=utf-8"
        case "svg": "image/svg+xml"
        case "json": "application/json"
        default: Self.opaque
        }
    }
}

extension HTTPField.Name {
    static var xFrameOptions: HTTPField.Name { Self.name("X-Frame-Options") }
    static var referrerPolicy: HTTPField.Name { Self.name("Referrer-Policy") }

    private static func name(_ text: String) -> HTTPField.Name {
        guard let name = HTTPField.Name(text) else { preconditionFailure("a field name is a token") }
        return name
    }
}
