internal import Foundation

/// Reads the secret of the relays from where the options say (SPEC OP-1).
enum TurnSecret {
    /// Bytes: as many as a key should have, whatever the relay would take.
    static let shortest = 16
    private static let longest = 1_024

    struct Unusable: Error, Equatable, CustomStringConvertible {
        let description: String
    }

    /// - Returns: nil where there is none.
    static func load(_ secret: ICEOptions.Secret) throws(Unusable) -> [UInt8]? {
        switch secret {
        case .none: return nil
        case .value(let text): return try self.checked(Substring(text))
        case .file(let path): return try self.checked(try self.firstLine(of: path))
        }
    }

    private static func checked(_ text: Substring) throws(Unusable) -> [UInt8] {
        guard (self.shortest...self.longest).contains(text.utf8.count) else {
            throw Unusable(description: "the secret must have \(self.shortest) to \(self.longest) bytes")
        }
        return Array(text.utf8)
    }

    private static func firstLine(of path: String) throws(Unusable) -> Substring {
        do {
            // The file behind a link counts: secrets are often mounted as links.
            let file = URL(fileURLWithPath: path).resolvingSymlinksInPath()
            let attributes = try FileManager.default.attributesOfItem(atPath: file.path)
            guard attributes[.type] as? FileAttributeType == .typeRegular,
                let mode = (attributes[.posixPermissions] as? NSNumber)?.intValue, mode & 0o077 == 0,
                let size = (attributes[.size] as? NSNumber)?.intValue, size <= self.longest * 16
            else { throw Unusable(description: "\(path) is no small file that only its owner may read (mode 0600)") }
            let text = String(decoding: try Data(contentsOf: file), as: UTF8.self)
            return text.split(whereSeparator: \.isNewline).first ?? ""
        } catch let error as Unusable {
            throw error
        } catch {
            throw Unusable(description: "\(path) cannot be read")
        }
    }
}
