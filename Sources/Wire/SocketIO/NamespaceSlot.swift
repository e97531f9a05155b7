/// A namespace of one session, by number: `/` is always `root`. A number is used again after its namespace was left.
package struct NamespaceSlot: Hashable, Sendable {
    package let rawValue: UInt8

    package static let root = NamespaceSlot(rawValue: 0)

    package init(rawValue: UInt8) { self.rawValue = rawValue }
}
