import Yams

/// A YAML document with the places of its keys, those that are there twice included, which Yams refuses.
struct YAMLDocument {
    /// What libyaml says, and where.
    struct Failure: Error {
        let problem: String
        let mark: Mark?
    }

    struct Key {
        let text: String
        let mark: Mark?
    }

    /// nil: the text is empty.
    private(set) var root: Node?
    /// What keys were called before they were renamed, by the character that they were given.
    private var renamed: [Unicode.Scalar: Unicode.Scalar] = [:]

    /// Beyond so many keys that are there twice the first mistakes are told, and that is enough.
    private static let mostDuplicates = 200
    /// Private use: of no use in a key.
    private static let firstMark: UInt32 = 0xE000

    /// Yams gives up at the first key that is there twice, and says where the first of the two stands. That one's first character
    /// is replaced by one that occurs nowhere, which changes no line and no column, and the text is read again.
    init(_ text: String) throws(Failure) {
        var lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).map { Array($0) }
        for number in 0... {
            do {
                let source = lines.map { line in
                    var view = String.UnicodeScalarView()
                    view.append(contentsOf: line)
                    return String(view)
                }.joined(separator: "\n")
                self.root = try Parser(yaml: source, encoding: .utf8).singleRoot()
                return
            } catch let error as YamlError {
                guard case .duplicatedKeysInMapping(_, let context) = error, number < Self.mostDuplicates,
                    let mark = Unicode.Scalar(Self.firstMark + UInt32(number)),
                    let place = Self.place(context.mark, in: lines)
                else { throw Self.failure(error) }
                self.renamed[mark] = lines[place.line][place.column]
                lines[place.line][place.column] = mark
            } catch {
                throw Failure(problem: "\(error)", mark: nil)
            }
        }
        preconditionFailure("the loop ends by itself")
    }

    /// - Returns: nil for a key that is no scalar.
    func key(_ node: Node) -> Key? {
        guard case .scalar(let scalar) = node else { return nil }
        var scalars = scalar.string.unicodeScalars
        if let first = scalars.first, let original = self.renamed[first] {
            scalars.removeFirst()
            scalars.insert(original, at: scalars.startIndex)
        }
        return Key(text: String(scalars), mark: scalar.mark)
    }

    /// Of the first character of the key itself: behind the quote of one that is quoted.
    private static func place(_ mark: Mark, in lines: [[Unicode.Scalar]]) -> (line: Int, column: Int)? {
        guard lines.indices.contains(mark.line - 1) else { return nil }
        let line = lines[mark.line - 1]
        var column = mark.column - 1
        if line.indices.contains(column), line[column] == "\"" || line[column] == "'" { column += 1 }
        return line.indices.contains(column) ? (mark.line - 1, column) : nil
    }

    private static func failure(_ error: YamlError) -> Failure {
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            // The text of a context ends with a line break, and there is none where there is nothing to say.
            let around = context.map { $0.text.split(separator: "\n").joined(separator: " ") + ", " } ?? ""
            return Failure(problem: around + problem, mark: mark)
        case .reader(let problem, _, _, _): return Failure(problem: problem, mark: nil)
        case .duplicatedKeysInMapping(let names, let context):
            return Failure(problem: "keys are there twice: \(names.joined(separator: ", "))", mark: context.mark)
        case .no, .memory, .writer, .emitter, .representer, .dataCouldNotBeDecoded:
            return Failure(problem: "\(error)", mark: nil)
        }
    }
}
