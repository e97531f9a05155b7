/// A value that is mostly absent, in an object of its own: its holder keeps eight bytes for it, whatever its size.
///
/// Every change makes a new object, so this is for what changes rarely.
package struct Rare<Value: Sendable>: Sendable {
    // Inlinable throughout: unspecialised, each use would look up its types.
    @usableFromInline
    final class Box: Sendable {
        @usableFromInline let value: Value

        @inlinable
        init(_ value: Value) { self.value = value }
    }

    @usableFromInline var box: Box?

    @inlinable
    package init(_ value: Value? = nil) {
        if let value { self.box = Box(value) }
    }

    @inlinable
    package var value: Value? {
        get { self.box?.value }
        set { self.box = newValue.map { Box($0) } }
    }
}

extension Rare: Equatable where Value: Equatable {
    package static func == (left: Rare, right: Rare) -> Bool {
        left.box === right.box || left.value == right.value
    }
}
