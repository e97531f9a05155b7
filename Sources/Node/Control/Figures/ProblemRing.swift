/// The newest complaints of a node, so many and no more. A value; time is an argument.
///
/// One that comes again is not kept twice: what repeats every second must not push out everything else.
struct ProblemRing: Sendable {
    /// Complaints that are kept.
    static let capacity = 100
    /// UTF-8 bytes that are kept of a text.
    static let longest = 400
    /// Details that are kept of one.
    static let mostDetails = 12

    /// Oldest first.
    private var kept: [Problem] = []

    /// - Parameter time: milliseconds since 1970.
    mutating func add(level: String, message: String, details: [String: String], at time: Int64) {
        var problem = Problem(
            time: time, level: level, message: Self.cut(message), details: [:], count: 1)
        for (name, value) in details.sorted(by: { $0.key < $1.key }).prefix(Self.mostDetails) {
            problem.details[Self.cut(name)] = Self.cut(value)
        }
        if let index = self.kept.firstIndex(where: { $0.level == level && $0.message == problem.message }) {
            problem.count += self.kept.remove(at: index).count
        }
        self.kept.append(problem)
        if self.kept.count > Self.capacity { self.kept.removeFirst() }
    }

    /// Newest first.
    func newest(_ count: Int) -> [Problem] { Array(self.kept.suffix(count).reversed()) }

    private static func cut(_ text: String) -> String {
        guard text.utf8.count > self.longest else { return text }
        return String(decoding: text.utf8.prefix(self.longest), as: UTF8.self) + "…"
    }
}
