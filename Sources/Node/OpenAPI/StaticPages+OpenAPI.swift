internal import NIOCore

extension StaticPages {
    /// `/.well-known/submergence/openapi.json`.
    static func openAPI(_ actions: [Action], _ options: SessionOptions) -> StaticPages {
        let cookies = SessionCookies(options)
        var text = ByteBuffer()
        OpenAPIDocument.json(actions, cookies: .init(session: cookies.session, domestic: cookies.domestic)).write(
            to: &text)
        return StaticPages(
            prefix: "/.well-known/submergence/", files: ["openapi.json": Array(text.readableBytesView)])
    }
}
