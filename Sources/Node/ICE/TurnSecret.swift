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
            let text = try SecretFile.text(of: path, largest: self.longest * 16)
            return text.split(whereSeparator: \.isNewline).first ?? ""
        } catch {
            throw Unusable(description: error.description)
        }
    }
}

extension ICEOptions {
    /// The secret of the relays; nil where there is none.
    func readSecret() throws(StartError) -> [UInt8]? {
        do throws(TurnSecret.Unusable) {
            return try TurnSecret.load(self.turnSecret)
        } catch {
            throw StartError(
                "cannot use the secret of the relays", why: "\(error)", remedy: "See docs/turn.md, \"The secret\".",
                about: ["turn-secret-file"])
        }
    }
}
