import Wire

/// What kind of MongoDB answered.
package struct MongoDeployment: Sendable, Equatable {
    package enum Kind: Sendable, Equatable {
        case replicaSet(name: String)
        case sharded
    }

    package struct Version: Sendable, Comparable, CustomStringConvertible {
        package var major: Int
        package var minor: Int

        package init(_ major: Int, _ minor: Int) {
            self.major = major
            self.minor = minor
        }

        package static func < (left: Version, right: Version) -> Bool {
            (left.major, left.minor) < (right.major, right.minor)
        }

        package var description: String { "\(self.major).\(self.minor)" }
    }

    package static let minimumVersion = Version(6, 0)

    package var kind: Kind
    package var version: Version

    /// Refuses a stand-alone server (it has no change streams and no retryable writes) and one older than 6.0.
    package static func detect(on client: borrowing MongoClient) throws(MongoError) -> MongoDeployment {
        let hello = try client.run(BSONWriter.document { $0.append("hello", Int32(1)) }, database: "admin")
        let build = try client.run(BSONWriter.document { $0.append("buildInfo", Int32(1)) }, database: "admin")
        return try self.judge(hello: hello, build: build)
    }

    static func judge(hello: BSONDocument, build: BSONDocument) throws(MongoError) -> MongoDeployment {
        let numbers = build["versionArray"]?.array?.compactMap { $0.int } ?? []
        guard numbers.count >= 2 else {
            throw MongoError(.malformedReply, operation: "buildInfo", message: "no version in the reply")
        }
        let version = Version(numbers[0], numbers[1])
        guard version >= Self.minimumVersion else {
            throw MongoError(
                .refused, operation: "hello",
                message: "MongoDB \(version) is too old: \(Self.minimumVersion) or later is needed")
        }
        if hello["msg"]?.string == "isdbgrid" { return MongoDeployment(kind: .sharded, version: version) }
        if let set = hello["setName"]?.string { return MongoDeployment(kind: .replicaSet(name: set), version: version) }
        throw MongoError(
            .refused, operation: "hello",
            message: "a stand-alone MongoDB server has no change streams: make it a replica set of one (rs.initiate())")
    }
}
