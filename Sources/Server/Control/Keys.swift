import ArgumentParser
import Node

/// `submergence keys`: makes and ends keys of the control API.
struct Keys: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make, list and revoke keys of the control API.",
        discussion: """
            Keys lie in a file that every node gets (--control-keys); it holds hashes, no secrets. Nodes read it again every
            30 seconds.

            EXAMPLES
              submergence keys create backend --file control-keys --domain app.example --scope send --scope presence
              submergence keys list --file control-keys
              submergence keys revoke backend --file control-keys

            EXIT CODES
              0   done
              1   there is no such key, or one of that name already
              64  wrong arguments
              69  the file cannot be used
            """,
        version: Version.text, subcommands: [Create.self, List.self, Revoke.self])

    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a key, and print its secret, which is shown this once only.", version: Version.text)

        @Argument(help: "What it is called in the audit log: letters, digits, '.', '_', '-'.")
        var name: String

        @Option(help: "The file of keys; it is made if it is not there.")
        var file: String

        @Option(help: "The only domain that it is good for. Default: all.")
        var domain: String?

        @Option(
            help:
                "What it may do: send, presence, kick, links, sessions, status, config, audit, metrics. May be repeated."
        )
        var scope: [Scope]

        func run() throws {
            guard
                let (key, secret) = ControlKey.make(
                    name: self.name, domain: self.domain, scopes: Set(self.scope.map(\.scope)))
            else {
                throw ValidationError("a key needs a name of 1 to 64 letters, digits, '.', '_' or '-', and a --scope")
            }
            try Keys.perform { () throws(ControlKeyError) in try ControlKeyFile.add(key, to: self.file) }
            print(secret)
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print names, domains and scopes.", version: Version.text)

        @Option(help: "The file of keys.")
        var file: String

        func run() throws {
            let keys = try Keys.perform { () throws(ControlKeyError) in try ControlKeyFile.load(self.file) }
            for key in keys {
                print(
                    "\(key.name)  \(key.domain ?? "*")  \(key.scopes.map(\.rawValue).sorted().joined(separator: ","))")
            }
        }
    }

    struct Revoke: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "End a key.", version: Version.text)

        @Argument(help: "Its name.")
        var name: String

        @Option(help: "The file of keys.")
        var file: String

        func run() throws {
            let wasThere = try Keys.perform { () throws(ControlKeyError) in
                try ControlKeyFile.remove(named: self.name, from: self.file)
            }
            guard wasThere else {
                Runner.complain("there is no key named \(self.name) in \(self.file)")
                throw ExitCode.failure
            }
        }
    }

    private static func perform<Result>(_ body: () throws(ControlKeyError) -> Result) throws -> Result {
        do {
            return try body()
        } catch {
            Runner.complain(error)
            if case .repeatedName = error { throw ExitCode.failure }
            throw ExitCode.cannotStart
        }
    }
}

/// `--scope` in the words of the command line.
struct Scope: ExpressibleByArgument {
    let scope: ControlScope

    init?(argument: String) {
        guard let scope = ControlScope(rawValue: argument) else { return nil }
        self.scope = scope
    }

    static var allValueStrings: [String] { ControlScope.allCases.map(\.rawValue) }
}
