import ArgumentParser

/// `--log-format` in the words of the command line.
enum LogFormat: String, ExpressibleByArgument, CaseIterable, Sendable {
    /// A line for people.
    case human
    /// One JSON object a line.
    case json
}
