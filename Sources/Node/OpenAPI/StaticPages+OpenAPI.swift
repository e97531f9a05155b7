internal import NIOCore

extension StaticPages {
    /// `/.well-known/submergence/openapi.json`.
    static func openAPI(_ actions: [Action], _ options: SessionOptions, takesTokens: Bool) -> StaticPages {
        let cookies = SessionCookies(options)
        var text = ByteBuffer()
        let credentials = OpenAPIDocument.Credentials(
            session: cookies.session, domestic: cookies.domestic, takesTokens: takesTokens)
        OpenAPIDocument.json(actions, credentials).write(to: &text)
        return StaticPages(
            prefix: "/.well-known/submergence/", files: ["openapi.json": Array(text.readableBytesView)])
    }
}
