/// Lets a test hold a handler until it says so: no test waits for time to pass. Waiting ends with the handler's task, too.
actor Gates {
    private var waiting: [String: [AsyncStream<Never>.Continuation]] = [:]
    private var open: Set<String> = []
    /// In the order of their coming.
    private(set) var entered: [String] = []

    /// Returns once ``release(_:)`` was called for the name.
    func pass(_ name: String) async {
        self.entered.append(name)
        if self.open.contains(name) { return }
        let (stream, continuation) = AsyncStream<Never>.makeStream()
        self.waiting[name, default: []].append(continuation)
        for await _ in stream {}
    }

    func release(_ name: String) {
        self.open.insert(name)
        for continuation in self.waiting.removeValue(forKey: name) ?? [] { continuation.finish() }
    }
}
