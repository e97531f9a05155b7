import Foundation

/// Micro benchmarks of what every event passes through, with limits on what it may allocate and retain.
///
///     Micro [--check THRESHOLDS] [--update THRESHOLDS]
///
/// Times are for people; a machine's day decides them. Allocations and retains are the same every time, so that
/// `--check` fails (exit status 1) where one is above its threshold, and where a benchmark has none.
@main
enum Micro {
    static func main() throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        guard arguments.isEmpty || arguments.count == 2 && ["--check", "--update"].contains(arguments[0]) else {
            print("usage: Micro [--check THRESHOLDS | --update THRESHOLDS]")
            exit(64)
        }
        let figures = Codecs.figures() + Frames.figures() + Envelopes.figures() + Tables.figures() + Routes.figures()
        print("| operation | ns | allocations | retains |\n|---|---|---|---|")
        for figure in figures {
            let cells = [figure.nanoseconds, figure.allocations, figure.retains].map { Self.text($0) }
            print("| \(figure.name) | \(cells.joined(separator: " | ")) |")
        }
        guard arguments.count == 2 else { return }
        let file = URL(fileURLWithPath: arguments[1])
        if arguments[0] == "--update" {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
            let limits = figures.map {
                Threshold(name: $0.name, allocations: Self.limit($0.allocations), retains: Self.limit($0.retains))
            }
            try (encoder.encode(limits) + Data("\n".utf8)).write(to: file)
            return
        }
        let limits = try JSONDecoder().decode([Threshold].self, from: Data(contentsOf: file))
        let broken = figures.flatMap { figure in Self.broken(figure, limits.first { $0.name == figure.name }) }
        for line in broken { print("above its threshold: \(line)") }
        if !broken.isEmpty { exit(1) }
    }

    private static func broken(_ figure: Figure, _ limit: Threshold?) -> [String] {
        guard let limit else { return ["\(figure.name) has none; run with --update"] }
        var lines: [String] = []
        if figure.allocations > limit.allocations {
            lines.append("\(figure.name): \(Self.text(figure.allocations)) allocations, \(limit.allocations) allowed")
        }
        if figure.retains > limit.retains {
            lines.append("\(figure.name): \(Self.text(figure.retains)) retains, \(limit.retains) allowed")
        }
        return lines
    }

    /// Up to the next tenth: a buffer that grows now and then makes a small fraction.
    private static func limit(_ count: Double) -> Double { (count * 10).rounded(.up) / 10 }

    private static func text(_ value: Double) -> String { "\((value * 100).rounded() / 100)" }
}
