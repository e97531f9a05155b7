/// A value that is mostly absent, in an object of its own: its holder keeps eight bytes for it, whatever its size.
///
/// Every change makes a new object, so this is for what changes rarely.
package struct Rare<Value: Sendable>: Sendable {
    private final class Box: Sendable {
        let value: Value

        init(_ value: Value) { self.value = value }
    }

    private var box: Box?

    package init(_ value: Value? = nil) { self.value = value }

    package var value: Value? {
        get { self.box?.value }
        set { self.box = newValue.map(Box.init) }
    }
}

extension Rare: Equatable where Value: Equatable {
    package static func == (left: Rare, right: Rare) -> Bool {
        left.box === right.box || left.value == right.value
    }
}
