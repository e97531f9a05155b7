internal import Foundation

/// Control keys in a file: `name domain scopes hash` a line, blank lines and lines that start with `#` aside. It holds no
/// secrets, but whoever can write it can be anybody.
package enum ControlKeyFile {
    static let largest = 1_048_576

    package static func load(_ path: String) throws(ControlKeyError) -> [ControlKey] {
        let text = try self.read(path)
        var keys: [ControlKey] = []
        for (number, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            guard let first = line.first(where: { !$0.isWhitespace }), first != "#" else { continue }
            let key: ControlKey
            do {
                key = try ControlKey(line: line)
            } catch {
                throw .line(number + 1, path: path, why: "\(error)")
            }
            guard !keys.contains(where: { $0.name == key.name }) else { throw .repeatedName(key.name, path: path) }
            keys.append(key)
        }
        return keys
    }

    /// Adds a key. The file is made if it is not there.
    package static func add(_ key: ControlKey, to path: String) throws(ControlKeyError) {
        let exists = FileManager.default.fileExists(atPath: path)
        let text = exists ? try self.read(path) : "# Control keys: name, domain, scopes, SHA-256 of the secret.\n"
        if exists, try self.load(path).contains(where: { $0.name == key.name }) {
            throw .repeatedName(key.name, path: path)
        }
        try self.write(text + (text.hasSuffix("\n") || text.isEmpty ? "" : "\n") + key.line + "\n", to: path)
    }

    /// - Returns: whether it was there.
    package static func remove(named name: String, from path: String) throws(ControlKeyError) -> Bool {
        let lines = try self.read(path).split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        let kept = lines.filter { $0.split(whereSeparator: \.isWhitespace).first.map(String.init) != name }
        guard kept.count < lines.count else { return false }
        try self.write(kept.joined(separator: "\n"), to: path)
        return true
    }

    private static func read(_ path: String) throws(ControlKeyError) -> String {
        do {
            let file = URL(fileURLWithPath: path).resolvingSymlinksInPath()
            let attributes = try FileManager.default.attributesOfItem(atPath: file.path)
            guard let size = (attributes[.size] as? NSNumber)?.intValue, size <= self.largest else {
                throw ControlKeyError.tooLarge(path: path)
            }
            return String(decoding: try Data(contentsOf: file), as: UTF8.self)
        } catch let error as ControlKeyError {
            throw error
        } catch {
            throw .unreadable(path: path, why: error.localizedDescription)
        }
    }

    /// As a whole, so that a node never reads half of it.
    private static func write(_ text: String, to path: String) throws(ControlKeyError) {
        do {
            try Data(text.utf8).write(to: URL(fileURLWithPath: path).resolvingSymlinksInPath(), options: .atomic)
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        } catch {
            throw .unreadable(path: path, why: error.localizedDescription)
        }
    }
}
