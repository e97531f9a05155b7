/// Which partials templates include. One that includes itself would, with the names that Mustache looks up outwards, go on
/// for ever on the content of some request.
struct PartialGraph {
    private let partials: [String: String]

    init(_ partials: [String: String]) {
        self.partials = partials
    }

    /// What is wrong with the templates, in words; nil when nothing is.
    func complaint(_ templates: [(name: String, text: String)]) -> String? {
        for (name, text) in templates + self.partials.map({ ($0.key, $0.value) }) {
            for included in Self.included(text) where self.partials[included] == nil {
                return "the template \(name) includes \(included), which there is not"
            }
        }
        for name in self.partials.keys where self.reaches(name, from: name) {
            return "the partial \(name) includes itself"
        }
        return nil
    }

    private func reaches(_ name: String, from start: String) -> Bool {
        var seen: Set<String> = []
        var open = [start]
        while let next = open.popLast() {
            for included in Self.included(self.partials[next] ?? "") {
                if included == name { return true }
                if seen.insert(included).inserted { open.append(included) }
            }
        }
        return false
    }

    /// The names in `{{>name}}` and `{{<name}}`. Those that the content gives (`{{>*name}}`) may be any.
    private static func included(_ text: String) -> [String] {
        text.matches(of: /\{\{\s*[><]\s*([^\s*}][^\s}]*)\s*\}\}/).map { String($0.output.1) }
    }
}
