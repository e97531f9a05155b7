import Foundation

/// A file with secrets that its owner alone may read (SPEC OP-1).
enum SecretFile {
    private static let largest = 65_536

    /// The lines, blank ones and those that begin with `#` aside; never none.
    /// - Parameter flag: that named it, for the message.
    static func lines(of path: String, flag: String) throws(SecretFileError) -> [String] {
        let data: Data
        do {
            // The file behind a link counts: secrets are often mounted as links.
            let file = URL(fileURLWithPath: path).resolvingSymlinksInPath()
            let attributes = try FileManager.default.attributesOfItem(atPath: file.path)
            guard attributes[.type] as? FileAttributeType == .typeRegular,
                let mode = (attributes[.posixPermissions] as? NSNumber)?.intValue, mode & 0o077 == 0,
                let size = (attributes[.size] as? NSNumber)?.intValue, size <= self.largest
            else {
                throw SecretFileError(
                    flag: flag, path: path, why: "it is no small file that only its owner may read",
                    remedy: "chmod 0600 \(path)")
            }
            data = try Data(contentsOf: file)
        } catch let error as SecretFileError {
            throw error
        } catch {
            throw SecretFileError(
                flag: flag, path: path, why: SystemReason.of(error), remedy: "Check its name and its rights.")
        }
        let lines = String(decoding: data, as: UTF8.self).split(whereSeparator: \.isNewline)
            .map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty && !$0.hasPrefix("#") }
        guard !lines.isEmpty else {
            throw SecretFileError(
                flag: flag, path: path, why: "there is no line in it", remedy: "Write the secret into it.")
        }
        return lines
    }
}

/// Why a file of secrets cannot be used.
struct SecretFileError: Error, CustomStringConvertible {
    let flag: String
    let path: String
    let why: String
    let remedy: String

    var description: String { "cannot use \(self.path) (--\(self.flag)): \(self.why). \(self.remedy)" }
}
