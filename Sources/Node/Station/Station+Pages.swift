extension Station {
    /// Serves files that are part of the program, before any action is asked: pages, scripts, styles. They may use what this
    /// host serves and nothing else, be in no frame, and run no inline script or style (`Content-Security-Policy`). Text is
    /// compressed for who accepts gzip.
    ///
    /// - Parameters:
    ///   - prefix: a path with a slash at both ends, where `index.html` answers.
    ///   - files: by name, without folders. The name's ending, `html`, `css`, `js` or `svg`, is what they are served as.
    public func pages(at prefix: String = "/", _ files: [String: [UInt8]]) {
        let pages = StaticPages(prefix: prefix, files: files)
        self.register { $0.pages.append(pages) }
    }
}
