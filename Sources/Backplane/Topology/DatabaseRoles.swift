/// The least that MongoDB users of this program must be allowed, as a script for `mongosh` (`init-db --print-roles`).
///
/// Two roles: ``node`` for what runs day and night, which makes and drops nothing, and ``setUp`` for `init-db`.
package struct DatabaseRoles: Sendable {
    /// A database, and its collection; an empty name is all of them.
    private struct Grant {
        var database: String
        var collection = ""
        var actions: [String]

        var text: String {
            let resource = "{ db: \"\(self.database)\", collection: \"\(self.collection)\" }"
            let actions = self.actions.map { "\"\($0)\"" }.joined(separator: ", ")
            return "{ resource: \(resource), actions: [\(actions)] }"
        }
    }

    private let settings: MongoSettings
    private let bus: BusTopology
    private let isSharded: Bool

    init(settings: MongoSettings, bus: BusTopology, isSharded: Bool) {
        self.settings = settings
        self.bus = bus
        self.isSharded = isSharded
    }

    /// For people and for `mongosh`: what to run where.
    package var script: String {
        var lines = [
            "// On \(self.isSharded ? "a router" : "the primary"), as a user with the role userAdminAnyDatabase.",
            "// The user of `serve`, and the one of `init-db`, which is needed again after an upgrade or a new shard:",
            "use admin",
        ]
        let (node, setUp, tail) = (
            self.name("submergenceNode"), self.name("submergenceSetUp"), self.name("submergenceTail")
        )
        lines += Self.role(node, self.node)
        lines += Self.role(setUp, self.setUp)
        lines += Self.user(self.name("submergence"), role: node)
        lines += Self.user(setUp, role: setUp)
        lines += [
            "",
            "// For applications that publish inside their transactions (docs/outbox.md): they may insert, and nothing else.",
            "// Grant it beside what they have. The second role also lets them read receipts and errors.",
            "use admin",
        ]
        lines += Self.role(self.name("submergencePublisher"), [self.outbox(["insert"])])
        lines += Self.role(self.name("submergenceReceipts"), [self.outbox(["find"])])
        for shard in self.bus.shards where shard.isRouted {
            lines += [
                "",
                "// Directly on the primary of shard \(shard.name), with the same password: change streams on the inboxes go",
                "// there and not through the routers (--tail stream). From MongoDB 8.0 on the user also needs the role",
                "// directShardOperations. Without all this, --tail auto reads through the routers.",
                "use admin",
            ]
            lines += Self.role(
                tail, [Grant(database: shard.database, actions: Self.tailing), self.outbox(Self.tailing)])
            lines += Self.user(self.name("submergence"), role: tail)
        }
        return lines.joined(separator: "\n")
    }

    /// Another one for each database: roles and users of one cluster share their names.
    private func name(_ name: String) -> String {
        self.settings.database == MongoSettings.defaultDatabase ? name : "\(name)_\(self.settings.database)"
    }

    private static let tailing = ["find", "changeStream"]
    private static let looking = ["listCollections", "listIndexes"]

    private var node: [Grant] {
        let documents = ["find", "insert", "update", "remove"]
        var grants = [
            Grant(database: self.settings.database, actions: documents + Self.looking), self.outbox(["changeStream"]),
        ]
        for database in self.busDatabases {
            grants.append(Grant(database: database, actions: Self.tailing + ["insert"] + Self.looking))
        }
        return grants + self.configuration
    }

    private func outbox(_ actions: [String]) -> Grant {
        Grant(database: self.settings.database, collection: self.settings.collections.outbox, actions: actions)
    }

    private var setUp: [Grant] {
        let making = ["createCollection", "createIndex"] + Self.looking + (self.isSharded ? ["enableSharding"] : [])
        var grants = [Grant(database: self.settings.database, actions: making)]
        for database in self.busDatabases {
            // Inboxes and logs are made capped, which asks for the right to make them so.
            grants.append(Grant(database: database, actions: making + ["convertToCapped", "find", "insert"]))
        }
        return grants + self.configuration
    }

    /// What a router knows of shards, chunks, and where databases lie.
    private var configuration: [Grant] {
        guard self.isSharded else { return [] }
        return ["shards", "databases", "collections", "chunks"].map {
            Grant(database: "config", collection: $0, actions: ["find"])
        }
    }

    /// Those of replica sets that carry the bus alone are not here: they get a script of their own, by their own URI.
    private var busDatabases: [String] {
        Set(self.bus.shards.map(\.database)).sorted()
    }

    private static func role(_ name: String, _ grants: [Grant]) -> [String] {
        ["db.createRole({ role: \"\(name)\", roles: [], privileges: ["] + grants.map { "    \($0.text)," } + ["] })"]
    }

    private static func user(_ name: String, role: String) -> [String] {
        ["db.createUser({ user: \"\(name)\", pwd: passwordPrompt(), roles: [\"\(role)\"] })"]
    }
}
