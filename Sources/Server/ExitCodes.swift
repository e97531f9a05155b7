import ArgumentParser

/// The exit codes that the help text promises (sysexits.h where it has one).
extension ExitCode {
    static let noTrace = ExitCode(66)
    static let cannotStart = ExitCode(69)
    static let superseded = ExitCode(75)
    static let wrongConfiguration = ExitCode(78)
}
