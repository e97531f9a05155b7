internal import Foundation

/// Reads signing keys: one in base64url per line, blank lines and lines that start with `#` aside (SPEC OP-1).
package enum SigningKeyFile {
    private static let largest = 65_536

    package static func load(_ path: String) throws(SigningKeyError) -> SigningKeys {
        let text = String(decoding: try self.read(path), as: UTF8.self)
        var keys: [[UInt8]] = []
        for line in text.split(whereSeparator: \.isNewline) {
            guard let first = line.first, first != "#", !line.allSatisfy(\.isWhitespace) else { continue }
            guard let key = Base64URLText.decode(line) else { throw .malformed(line: keys.count + 1) }
            keys.append(key)
        }
        return try SigningKeys(keys)
    }

    private static func read(_ path: String) throws(SigningKeyError) -> Data {
        do {
            // The file behind a link counts: secrets are often mounted as links.
            let file = URL(fileURLWithPath: path).resolvingSymlinksInPath()
            let attributes = try FileManager.default.attributesOfItem(atPath: file.path)
            guard attributes[.type] as? FileAttributeType == .typeRegular else {
                throw SigningKeyError.notAFile(path: path)
            }
            guard let mode = (attributes[.posixPermissions] as? NSNumber)?.intValue, mode & 0o077 == 0 else {
                let mode = (attributes[.posixPermissions] as? NSNumber)?.intValue ?? 0o777
                throw SigningKeyError.tooOpen(path: path, mode: "0" + String(mode & 0o777, radix: 8))
            }
            guard let size = (attributes[.size] as? NSNumber)?.intValue, size <= self.largest else {
                throw SigningKeyError.tooLarge(path: path)
            }
            return try Data(contentsOf: file)
        } catch let error as SigningKeyError {
            throw error
        } catch {
            throw .unreadable(path: path, why: Self.words(error))
        }
    }

    private static func words(_ error: any Error) -> String {
        guard let error = error as? CocoaError else { return "\(error)" }
        return switch error.code {
        case .fileNoSuchFile, .fileReadNoSuchFile: "there is no such file"
        case .fileReadNoPermission: "this user may not read it"
        default: error.localizedDescription
        }
    }
}
