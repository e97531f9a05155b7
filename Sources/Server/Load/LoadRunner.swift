import ArgumentParser
import Foundation

/// Runs a plan for a command: limits of the process, progress, report, exit code.
enum LoadRunner {
    /// Descriptors beside those of the connections.
    private static let spareDescriptors = 64

    static func run(_ plan: LoadPlan, json: String?) async throws {
        let needed = plan.connections + plan.publishers + self.spareDescriptors
        let available = self.raiseDescriptorLimit()
        guard available >= needed else {
            Runner.complain("\(needed) descriptors are needed and \(available) allowed: raise the limit (ulimit -n)")
            throw ExitCode.cannotStart
        }
        let report: LoadReport
        do {
            report = try await LoadRun(plan: plan) { Runner.note($0) }.run()
        } catch let failure as LoadRun.Failure {
            Runner.complain(failure)
            throw ExitCode.cannotStart
        } catch let failure as MetricsProbe.Failure {
            Runner.complain(failure)
            throw ExitCode.cannotStart
        }
        if json != "-" {
            let rows = report.table
            let width = rows.map(\.name.count).max() ?? 0
            for (name, value) in rows {
                print(name.padding(toLength: width, withPad: " ", startingAt: 0) + "  " + value)
            }
        }
        if let json { try self.write(report, to: json) }
        if !report.held { throw ExitCode.failure }
    }

    private static func write(_ report: LoadReport, to file: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let data = try encoder.encode(report) + Data("\n".utf8)
        if file == "-" {
            FileHandle.standardOutput.write(data)
        } else {
            try data.write(to: URL(fileURLWithPath: file))
        }
    }

    /// To whatever the system allows.
    private static func raiseDescriptorLimit() -> Int {
        #if canImport(Glibc)
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        #else
        let resource = RLIMIT_NOFILE
        #endif
        var limit = rlimit()
        guard getrlimit(resource, &limit) == 0 else { return 1024 }
        limit.rlim_cur = limit.rlim_max
        if setrlimit(resource, &limit) != 0 { _ = getrlimit(resource, &limit) }
        return Int(clamping: limit.rlim_cur)
    }
}
