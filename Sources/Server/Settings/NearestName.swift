/// What somebody may have meant who wrote a name that there is not.
enum NearestName {
    /// - Returns: nil where nothing is near: as many changes as a third of its letters, two at least.
    static func of(_ name: String, in known: some Sequence<String>) -> String? {
        let wanted = self.folded(name)
        let limit = max(2, wanted.count / 3)
        var best: (name: String, distance: Int)?
        for candidate in known {
            let distance = self.distance(wanted, self.folded(candidate))
            guard distance <= limit, distance < max(candidate.count, wanted.count) else { continue }
            if best.map({ distance < $0.distance }) ?? true { best = (candidate, distance) }
        }
        return best?.name
    }

    /// As `maxPayload` and `max_payload` are meant for `max-payload`.
    private static func folded(_ name: String) -> [Character] {
        var folded: [Character] = []
        for character in name.prefix(64) {
            if character == "_" || character == "-" {
                folded.append("-")
            } else if character.isUppercase, folded.last.map({ $0.isLetter && !$0.isUppercase }) ?? false,
                !name.allSatisfy({ !$0.isLowercase })
            {
                folded += ["-", Character(character.lowercased())]
            } else {
                folded += Array(character.lowercased())
            }
        }
        return folded
    }

    /// Letters added, left out, changed or swapped with their neighbour.
    private static func distance(_ left: [Character], _ right: [Character]) -> Int {
        var before: [Int] = []
        var previous = Array(0...right.count)
        for (row, letter) in left.enumerated() {
            var current = [row + 1]
            for (column, other) in right.enumerated() {
                var cost = min(
                    previous[column + 1] + 1, current[column] + 1, previous[column] + (letter == other ? 0 : 1))
                if row > 0, column > 0, letter == right[column - 1], left[row - 1] == other {
                    cost = min(cost, before[column - 1] + 1)
                }
                current.append(cost)
            }
            before = previous
            previous = current
        }
        return previous[right.count]
    }
}
