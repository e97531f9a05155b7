import Foundation

/// Samples the resident memory of another process, as Linux tells it; elsewhere there is nothing to tell.
struct ProcessMemory: Sendable {
    let pid: Int
    private(set) var first: Int?
    private(set) var last: Int?
    private(set) var most: Int?

    init(pid: Int) { self.pid = pid }

    mutating func sample() {
        // The process may have ended, which the samples before do not become wrong by.
        guard let status = try? String(contentsOfFile: "/proc/\(self.pid)/status", encoding: .utf8),
            let kilobytes = Self.resident(in: status)
        else { return }
        self.first = self.first ?? kilobytes
        self.last = kilobytes
        self.most = max(self.most ?? 0, kilobytes)
    }

    /// - Returns: KiB.
    static func resident(in status: String) -> Int? {
        for line in status.split(separator: "\n") where line.hasPrefix("VmRSS:") {
            return line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap { Int($0) }
        }
        return nil
    }
}
