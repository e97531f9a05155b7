/// Messages that have come back to the load of one event loop.
final class Counter {
    var messages = 0
}

@available(*, unavailable) extension Counter: Sendable {}
