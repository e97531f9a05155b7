import ArgumentParser
import Node

/// `submergence init-db`: databases, shard keys, chunks, indexes, inbox slots.
struct InitDB: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init-db",
        abstract: "Create databases, shard keys, chunks, indexes and inbox slots. May be repeated at any time.",
        discussion: """
            Like `serve` it takes what it is not told from the environment and from a configuration file.

            EXAMPLES
              submergence init-db --mongodb 'mongodb://127.0.0.1:27017/?directConnection=false'
              submergence init-db --print-roles --mongodb 'mongodb://admin:secret@db1,db2,db3/?replicaSet=rs0&tls=true'
            """,
        version: Version.text)

    @OptionGroup var source: SourceFlags
    @OptionGroup var mongo: MongoFlags

    @Flag(help: "Also make the logs of connection state recovery, one per shard.")
    var recoveryLog = false

    @Option(
        name: .customLong("recovery-log-size"),
        help: ArgumentHelp("Size of one recovery log, fixed when it is made.", valueName: "MiB"))
    var recoveryLogMiB = 512

    @Flag(help: "Print a script for mongosh that makes roles and users with the least rights, and make nothing.")
    var printRoles = false

    func validate() throws {
        guard (1...1_048_576).contains(self.recoveryLogMiB) else {
            throw ValidationError("--recovery-log-size takes 1 to 1048576")
        }
    }

    func run() async throws {
        guard var options = try Runner.mongo(self.mongo) else {
            throw ValidationError("init-db needs --mongodb with the connection string of the cluster")
        }
        options.recoveryLogSize = self.recoveryLogMiB << 20
        do {
            if self.printRoles {
                print(try await DatabaseSetup.roles(options))
                return
            }
            for line in try await DatabaseSetup.run(options, recoveryLog: self.recoveryLog) { print(line) }
        } catch let error as StartError {
            Runner.complain(error)
            throw ExitCode.cannotStart
        }
    }
}
