extension Reply {
    /// Answers as ``redirect(_:)``, and never leads away from this host: for a destination that came with the request.
    ///
    /// - Parameter path: a path of this host, perhaps with query and fragment.
    /// - Throws: ``ActionError`` 400 for anything that a browser might take for another host, and for what ``redirect(_:)``
    ///   refuses.
    public func redirect(toLocal path: String) throws(ActionError) {
        // Browsers read a backslash as a slash, and two slashes begin a host.
        guard path.hasPrefix("/"), !path.hasPrefix("//"), !path.contains("\\") else { throw ActionError(400, "URL") }
        try self.redirect(path)
    }
}
