/// A domain's configuration as it is stored (SPEC RM-4).
package struct DomainRecord: Sendable, Equatable {
    /// Canonical.
    package var domain: String
    /// Rises by one with each change, from 1.
    package var version: Int64
    /// JSON.
    package var document: [UInt8]
    /// The name of the control key that has stored it.
    package var author: String
    /// When: milliseconds since 1970.
    package var changed: Int64

    package init(domain: String, version: Int64, document: [UInt8], author: String, changed: Int64) {
        self.domain = domain
        self.version = version
        self.document = document
        self.author = author
        self.changed = changed
    }
}
