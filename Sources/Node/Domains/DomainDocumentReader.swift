/// Reads a domain's configuration, and finds every mistake in it. Whoever may store one is not the operator: all of it
/// is bounded (DESIGN §7).
struct DomainDocumentReader {
    static let mostActions = 200
    /// Regular expressions, those of schemas among them.
    static let mostPatterns = 200
    /// Mistakes that are told of.
    static let mostMistakes = 100
    /// Bytes of a body that is held, and of all files together.
    static let longestBody = 4_194_304
    /// Bytes of a body that is streamed.
    static let longestStream = 1 << 40
    /// Seconds.
    static let timeLimits = 0.1...60.0
    static let timeLimitsOfStreams = 0.1...3_600.0

    private var mistakes: [DomainMistake] = []
    private var patterns = 0

    static func read(_ value: JSONValue) throws(DomainMistakes) -> DomainDocument {
        var reader = DomainDocumentReader()
        let document = reader.document(value)
        guard reader.mistakes.isEmpty else { throw DomainMistakes(all: reader.mistakes) }
        return document
    }

    private mutating func note(_ path: String, _ message: String) {
        if self.mistakes.count < Self.mostMistakes { self.mistakes.append(DomainMistake(path: path, message: message)) }
    }

    private mutating func document(_ value: JSONValue) -> DomainDocument {
        var document = DomainDocument()
        guard let members = self.members(of: value, at: "", known: ["target", "hooks", "actions"]) else {
            return document
        }
        if let value = members["target"] { document.target = self.target(value) }
        if let value = members["hooks"] { document.hooks = self.hooks(value) }
        if let value = members["actions"] { document.actions = self.actions(value) }
        if members["target"] == nil, !(document.hooks.isEmpty && document.actions.isEmpty) {
            self.note("/target", "is required where there are actions or hooks: they have to go somewhere")
        }
        return document
    }

    private mutating func members(of value: JSONValue, at path: String, known: [String]) -> [String: JSONValue]? {
        guard case .object(let members) = value else {
            self.note(path, "must be an object")
            return nil
        }
        for name in members.keys.sorted() where !known.contains(name) {
            let place = "\(path)/\(JSONPointer.escape(String(name.prefix(80))))"
            if name.lowercased().contains("secret") {
                self.note(place, "is not known: secrets stay with the nodes, in a file or the environment")
            } else {
                self.note(place, "is not known: there are \(known.joined(separator: ", "))")
            }
        }
        return members
    }

    private mutating func target(_ value: JSONValue) -> String? {
        guard let text = value.string, OutboundAddress(text) != nil else {
            self.note(
                "/target", "must be an http or https address of at most 2,048 characters, without user or password")
            return nil
        }
        guard !text.contains("#") else {
            self.note("/target", "must have no fragment")
            return nil
        }
        return text
    }

    private mutating func hooks(_ value: JSONValue) -> Set<WebhookOptions.Hook> {
        var hooks: Set<WebhookOptions.Hook> = []
        guard case .array(let elements) = value else {
            self.note("/hooks", "must be an array")
            return hooks
        }
        for (index, element) in elements.enumerated() {
            guard let hook = element.string.flatMap({ WebhookOptions.Hook(rawValue: $0) }) else {
                let words = WebhookOptions.Hook.allCases.map(\.rawValue).joined(separator: ", ")
                self.note("/hooks/\(index)", "must be one of \(words)")
                continue
            }
            if !hooks.insert(hook).inserted { self.note("/hooks/\(index)", "is there already") }
        }
        return hooks
    }

    // MARK: Actions

    private mutating func actions(_ value: JSONValue) -> [WebhookAction] {
        guard case .array(let elements) = value else {
            self.note("/actions", "must be an array")
            return []
        }
        guard elements.count <= Self.mostActions else {
            self.note("/actions", "has more than \(Self.mostActions) actions")
            return []
        }
        var actions: [WebhookAction] = []
        for (index, element) in elements.enumerated() {
            if let action = self.action(element, at: "/actions/\(index)") { actions.append(action) }
        }
        return actions
    }

    private static let membersOfActions = [
        "action", "requires", "query", "body", "maxBodyLength", "maxFilesLength", "timeLimit", "streams",
        "hidden",
    ]

    private mutating func action(_ value: JSONValue, at path: String) -> WebhookAction? {
        let before = self.mistakes.count
        let isBare = value.string != nil
        guard
            let members = isBare
                ? ["action": value] : self.members(of: value, at: path, known: Self.membersOfActions)
        else { return nil }
        let place = isBare ? path : path + "/action"
        guard let text = members["action"]?.string, var action = WebhookAction(text) else {
            self.note(place, "must be as 'POST /posts/:id', '* /board/*' or 'GET ~/p/[0-9]+'")
            return nil
        }
        if action.isPattern, !self.admits(patterns: 1, at: place) { return nil }
        if let complaint = action.actionPath.complaint { self.note(place, complaint) }
        action.requirements = self.requirements(members["requires"], at: path + "/requires")
        action.options = self.options(members, at: path)
        // What only the whole shows, as a query that would have to be more than strings.
        if self.mistakes.count == before, let complaint = action.complaint { self.note(path, complaint) }
        return action
    }

    private mutating func requirements(_ value: JSONValue?, at path: String) -> ActionRequirements {
        guard let value else { return [] }
        guard case .array(let elements) = value else {
            self.note(path, "must be an array")
            return []
        }
        var requirements: ActionRequirements = []
        for (index, element) in elements.enumerated() {
            guard let found = DomainDocument.requirements.first(where: { $0.word == element.string }) else {
                let words = DomainDocument.requirements.map(\.word).joined(separator: ", ")
                self.note("\(path)/\(index)", "must be one of \(words)")
                continue
            }
            requirements.insert(found.value)
        }
        return requirements
    }

    private mutating func options(_ members: [String: JSONValue], at path: String) -> ActionOptions {
        var options = ActionOptions()
        if let value = members["streams"] { options.neverBuffer = self.flag(value, at: path + "/streams") }
        if let schema = members["query"] { options.querySchema = self.schema(schema, at: path + "/query") }
        if let schema = members["body"] { options.bodySchema = self.schema(schema, at: path + "/body") }
        if let value = members["maxBodyLength"] {
            options.maxBodyLength =
                self.length(
                    value, options.neverBuffer ? Self.longestStream : Self.longestBody, at: path + "/maxBodyLength")
                ?? options.maxBodyLength
        }
        if let value = members["maxFilesLength"] {
            options.bufferFiles =
                self.length(value, Self.longestBody, at: path + "/maxFilesLength") ?? options.bufferFiles
        }
        if let value = members["timeLimit"] {
            let range = options.neverBuffer ? Self.timeLimitsOfStreams : Self.timeLimits
            if let seconds = value.double, range.contains(seconds) {
                options.timeLimit = .milliseconds(Int64(seconds * 1_000))
            } else {
                self.note(path + "/timeLimit", "must be 0.1 to \(Int(range.upperBound)) seconds")
            }
        }
        if let value = members["hidden"] { options.isHidden = self.flag(value, at: path + "/hidden") }
        return options
    }

    private mutating func length(_ value: JSONValue, _ longest: Int, at path: String) -> Int? {
        guard let length = value.int, (0...Int64(longest)).contains(length) else {
            self.note(path, "must be 0 to \(longest) bytes")
            return nil
        }
        return Int(length)
    }

    private mutating func flag(_ value: JSONValue, at path: String) -> Bool {
        if value.bool == nil { self.note(path, "must be true or false") }
        return value.bool ?? false
    }

    private mutating func schema(_ value: JSONValue, at path: String) -> ActionSchema? {
        guard self.admits(patterns: Self.patterns(in: value), at: path) else { return nil }
        do throws(SchemaError) {
            _ = try JSONSchema(value)
            return ActionSchema(value)
        } catch {
            self.note(path + error.pointer, error.why)
            return nil
        }
    }

    /// Each may have 2,000 instructions, however short it is.
    private mutating func admits(patterns count: Int, at path: String) -> Bool {
        guard self.patterns + count <= Self.mostPatterns else {
            self.note(path, "would be beyond \(Self.mostPatterns) regular expressions in all")
            return false
        }
        self.patterns += count
        return true
    }

    /// How many regular expressions a schema has at most: a property may have such a name, too.
    private static func patterns(in schema: JSONValue) -> Int {
        switch schema {
        case .array(let elements): return elements.reduce(0) { $0 + self.patterns(in: $1) }
        case .object(let members):
            return members.reduce(0) { count, member in
                var own = 0
                if member.key == "pattern" { own = 1 }
                if member.key == "patternProperties", case .object(let schemas) = member.value { own = schemas.count }
                return count + own + self.patterns(in: member.value)
            }
        case .null, .bool, .int, .double, .string: return 0
        }
    }
}
