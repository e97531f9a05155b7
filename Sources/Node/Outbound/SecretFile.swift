internal import Foundation

/// Reads a small file that holds secrets and that only its owner may read (SPEC OP-1).
enum SecretFile {
    struct Unusable: Error, Equatable, CustomStringConvertible {
        let description: String
    }

    /// - Parameter largest: bytes.
    static func text(of path: String, largest: Int) throws(Unusable) -> String {
        do {
            // The file behind a link counts: secrets are often mounted as links.
            let file = URL(fileURLWithPath: path).resolvingSymlinksInPath()
            let attributes = try FileManager.default.attributesOfItem(atPath: file.path)
            guard attributes[.type] as? FileAttributeType == .typeRegular,
                let mode = (attributes[.posixPermissions] as? NSNumber)?.intValue, mode & 0o077 == 0,
                let size = (attributes[.size] as? NSNumber)?.intValue, size <= largest
            else { throw Unusable(description: "\(path) is no small file that only its owner may read (mode 0600)") }
            return String(decoding: try Data(contentsOf: file), as: UTF8.self)
        } catch let error as Unusable {
            throw error
        } catch {
            throw Unusable(description: "\(path) cannot be read")
        }
    }
}
