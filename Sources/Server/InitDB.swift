import ArgumentParser
import Node

/// `submergence init-db`: databases, shard keys, chunks, indexes, inbox slots.
struct InitDB: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init-db",
        abstract: "Create databases, shard keys, chunks, indexes and inbox slots. May be repeated at any time.",
        discussion: """
            EXAMPLE
              submergence init-db --mongodb 'mongodb://127.0.0.1:27017/?directConnection=false'
            """,
        version: Version.text)

    @OptionGroup var mongo: MongoFlags

    func run() async throws {
        guard let options = self.mongo.options else {
            throw ValidationError("init-db needs --mongodb with the connection string of the cluster")
        }
        do {
            for line in try await DatabaseSetup.run(options) { print(line) }
        } catch let error as StartError {
            Runner.complain(error)
            throw ExitCode.cannotStart
        }
    }
}
