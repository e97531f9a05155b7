/// A binary heap of things to do, by time and then by order of arrival.
struct RoutingEventQueue<Item> {
    private var heap: [(time: Int64, order: Int, item: Item)] = []
    private var count = 0

    mutating func push(_ item: Item, at time: Int64) {
        self.count += 1
        self.heap.append((time, self.count, item))
        var child = self.heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard self.isLess(child, parent) else { break }
            self.heap.swapAt(child, parent)
            child = parent
        }
    }

    mutating func pop() -> (time: Int64, item: Item)? {
        guard !self.heap.isEmpty else { return nil }
        self.heap.swapAt(0, self.heap.count - 1)
        let last = self.heap.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < self.heap.count && self.isLess(child, least) {
                least = child
            }
            if least == parent { return (last.time, last.item) }
            self.heap.swapAt(parent, least)
            parent = least
        }
    }

    private func isLess(_ left: Int, _ right: Int) -> Bool {
        (self.heap[left].time, self.heap[left].order) < (self.heap[right].time, self.heap[right].order)
    }
}
