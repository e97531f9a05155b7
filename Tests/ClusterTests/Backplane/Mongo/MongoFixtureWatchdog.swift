import Foundation
import Synchronization

/// Small shell processes that take the clusters down when this process is gone: each waits for the end of a connection
/// whose other end lives in this process only, so that a crash or a kill ends them too.
final class MongoFixtureWatchdog: Sendable {
    static let shared = MongoFixtureWatchdog()

    private struct Guardian {
        var process: pid_t
        var connection: CInt
    }

    private let guardians = Mutex<[Guardian]>([])

    private init() { atexit(endFixtureClusters) }

    /// - Parameter folder: removed with everything in it; the cluster is in its subfolder `mongo`.
    func guardCluster(in folder: String, script: String) throws {
        var ends: [CInt] = [0, 0]
        // Not a pipe: only a socket can be made so that no other child inherits its end.
        let type = CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, type, 0, &ends) == 0 else {
            throw MongoFixture.Failure(description: "socketpair: \(errno)")
        }
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
            close(ends[0])
        }
        posix_spawn_file_actions_adddup2(&actions, ends[0], 0)
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", CInt(O_WRONLY), 0)
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", CInt(O_WRONLY), 0)
        // A process group of its own: an interrupt of the terminal does not reach it.
        posix_spawnattr_setflags(&attributes, CShort(POSIX_SPAWN_SETPGROUP))
        // Routers first and at once: they would wait for this process to hang up, which waits for them.
        let wait = """
            read -r line
            "$1" --dir "$2/mongo" kill-router
            "$1" --dir "$2/mongo" down --wipe
            rm -rf -- "$2"
            """
        let words = ["sh", "-c", wait, "sh", script, folder]
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
        arguments.append(nil)
        defer { for argument in arguments { free(argument) } }
        var process: pid_t = 0
        let result = posix_spawn(&process, "/bin/sh", &actions, &attributes, arguments, environ)
        guard result == 0 else { throw MongoFixture.Failure(description: "posix_spawn: \(result)") }
        self.guardians.withLock { $0.append(Guardian(process: process, connection: ends[1])) }
    }

    /// Ends every cluster and waits for that.
    fileprivate func end() {
        let guardians = self.guardians.withLock { guardians in
            defer { guardians = [] }
            return guardians
        }
        for guardian in guardians { close(guardian.connection) }
        for guardian in guardians {
            var status: CInt = 0
            while waitpid(guardian.process, &status, 0) == -1, errno == EINTR {}
        }
    }
}

/// A C callback must be a function at file scope.
private func endFixtureClusters() { MongoFixtureWatchdog.shared.end() }
