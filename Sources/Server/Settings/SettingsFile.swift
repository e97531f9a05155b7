import Foundation
import Yams

/// The one file of a configuration: YAML of two levels, sections and keys. Finds every value with its place, and every mistake.
struct SettingsFile {
    /// A value as it stands there.
    struct Entry {
        let setting: Setting
        var texts: [(text: String, place: SettingPlace)]
        /// Of the key.
        let place: SettingPlace
    }

    /// Bytes of a file.
    static let largest = 1 << 20

    private(set) var entries: [Entry] = []
    private(set) var mistakes: [SettingMistake] = []
    /// Nothing is known of what was meant to be in it.
    private(set) var isBroken = false
    private let path: String

    /// - Parameter path: as it was named: messages name it so.
    init(path: String) {
        self.path = path
        self.open()
    }

    private mutating func open() {
        self.isBroken = true
        let data: Data
        do {
            let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: self.path))
            defer { try? handle.close() }
            data = try handle.read(upToCount: Self.largest + 1) ?? Data()
        } catch {
            return self.complain(
                nil, "the file cannot be read", SystemReason.of(error),
                "Check --\(SettingsTable.fileFlag) or \(SettingsTable.fileVariable), and the rights of the file.")
        }
        guard data.count <= Self.largest else {
            return self.complain(
                nil, "the file cannot be used", "it has more than \(Self.largest) bytes", "Shorten it.")
        }
        guard let text = String(data: data, encoding: .utf8) else {
            return self.complain(nil, "the file cannot be used", "it is not UTF-8", "Save it as UTF-8.")
        }
        self.read(text)
    }

    /// For what stands in a text at hand.
    init(path: String, text: String) {
        self.path = path
        self.read(text)
    }

    private mutating func read(_ text: String) {
        self.isBroken = true
        let document: YAMLDocument
        do {
            document = try YAMLDocument(text)
        } catch {
            return self.complain(
                error.mark, "this is no YAML", error.problem,
                "Mend it; mind that YAML is indented by spaces, and that values with a colon or a # are quoted.")
        }
        self.isBroken = false
        guard let root = document.root, root.null == nil else { return }
        guard case .mapping(let sections) = root else {
            return self.complain(
                root.mark, "this is no configuration", "its top is no mapping",
                "Begin with a section: \(Self.sectionNames).")
        }
        for (key, value) in self.unique(sections, document, in: nil) { self.readSection(key, value, document) }
    }

    private mutating func readSection(_ key: YAMLDocument.Key, _ value: Node, _ document: YAMLDocument) {
        guard let section = Setting.Section(rawValue: key.text) else {
            return self.unknown(key, in: nil)
        }
        // A section without anything in it, as when all of it is commented out.
        if value.null != nil { return }
        guard case .mapping(let settings) = value else {
            return self.complain(
                value.mark, "\(key.text) has no keys", "it is a section, and takes a mapping",
                "Put its keys below it, indented.")
        }
        for (name, value) in self.unique(settings, document, in: section) {
            let full = "\(section.rawValue).\(name.text)"
            guard let setting = SettingsTable.byKey[full] else {
                self.unknown(name, in: section)
                continue
            }
            self.readValue(setting, name, value)
        }
    }

    private mutating func readValue(_ setting: Setting, _ key: YAMLDocument.Key, _ value: Node) {
        let elements: [Node]
        switch value {
        case .sequence(let sequence) where setting.isList: elements = Array(sequence)
        case .scalar: elements = [value]
        case .sequence:
            return self.complain(
                value.mark, setting.key, "it is a list, and takes one value", "Write \(setting.kind.range).",
                key: setting.key)
        case .mapping, .alias:
            return self.complain(
                value.mark, setting.key, "it is a mapping, and takes \(setting.isList ? "a list" : "one value")",
                "Write \(setting.kind.range).", key: setting.key)
        }
        var entry = Entry(setting: setting, texts: [], place: self.place(key.mark))
        for element in elements {
            guard case .scalar(let scalar) = element, element.null == nil else {
                self.complain(
                    element.mark ?? key.mark, setting.key, "it has no value",
                    "Write \(setting.kind.range), or leave the key out.", key: setting.key)
                continue
            }
            entry.texts.append((scalar.string, self.place(scalar.mark ?? key.mark)))
        }
        if elements.isEmpty || !entry.texts.isEmpty { self.entries.append(entry) }
    }

    // MARK: Mistakes

    /// The last of keys that are there more than once; the others are mistakes.
    private mutating func unique(
        _ mapping: Node.Mapping, _ document: YAMLDocument, in section: Setting.Section?
    ) -> [(YAMLDocument.Key, Node)] {
        var found: [(YAMLDocument.Key, Node)] = []
        for (node, value) in mapping {
            guard let key = document.key(node) else {
                self.complain(node.mark, "a key is no text", "it is a list or a mapping", "Write a name and a colon.")
                continue
            }
            if let index = found.firstIndex(where: { $0.0.text == key.text }) {
                let first = found[index].0
                self.complain(
                    key.mark, (section.map { "\($0.rawValue)." } ?? "") + key.text,
                    "it is there twice, first in line \(first.mark?.line ?? 0)", "Keep one of the two.",
                    key: section.map { "\($0.rawValue).\(key.text)" })
                found[index] = (key, value)
            } else {
                found.append((key, value))
            }
        }
        return found
    }

    private mutating func unknown(_ key: YAMLDocument.Key, in section: Setting.Section?) {
        let full = (section.map { "\($0.rawValue)." } ?? "") + key.text
        if let instead = SettingsTable.inlineSecrets[full] {
            return self.complain(
                key.mark, full, "a secret must not stand in this file", "Name its file with \(instead).", key: full)
        }
        let nearest = Self.nearest(key.text, in: section)
        self.complain(
            key.mark, "\(full) is unknown", section == nil ? "there is no such section" : "there is no such key",
            nearest.map { "Did you mean \($0)?" }
                ?? (section == nil ? "The sections are \(Self.sectionNames)." : "docs/configuration.md has all keys."))
    }

    /// A name that is near; one of another section that is the same; a flag's name.
    static func nearest(_ name: String, in section: Setting.Section?) -> String? {
        guard let section else {
            if let section = NearestName.of(name, in: Setting.Section.allCases.map(\.rawValue)) { return section }
            return NearestName.of(name, in: SettingsTable.byFlag.keys.sorted()).flatMap {
                SettingsTable.byFlag[$0]?.key
            }
        }
        let own = SettingsTable.all.filter { $0.section == section }
        if let near = NearestName.of(name, in: own.map(\.name)) { return "\(section.rawValue).\(near)" }
        if let same = SettingsTable.all.first(where: { $0.name == name || $0.flag == name }) { return same.key }
        return NearestName.of("\(section.rawValue).\(name)", in: SettingsTable.all.map(\.key))
    }

    private static var sectionNames: String { Setting.Section.allCases.map(\.rawValue).joined(separator: ", ") }

    private func place(_ mark: Mark?) -> SettingPlace {
        .file(self.path, line: mark?.line ?? 1, column: mark?.column ?? 1)
    }

    private mutating func complain(
        _ mark: Mark?, _ what: String, _ why: String, _ remedy: String, key: String? = nil
    ) {
        self.mistakes.append(SettingMistake(place: self.place(mark), key: key, what: what, why: why, remedy: remedy))
    }
}
