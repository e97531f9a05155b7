import Foundation
import NIOCore
import Testing

@testable import Node

/// The official JSON-Schema-Test-Suite, all of draft 2020-12 but what is named here.
@Suite("AC-6: the official JSON-Schema-Test-Suite")
struct JSONSchemaSuiteTests {
    private struct Group {
        let name: String
        let schema: JSONValue
        let tests: [(name: String, value: JSONValue, isValid: Bool)]
    }

    /// Files, or groups of cases in them, whose schemas are refused at start: what they are about is not supported.
    private static let refused: [String: String] = {
        var refused = [
            "anchor": "$anchor", "optional/anchor": "$anchor", "dynamicRef": "$dynamicRef",
            "optional/dynamicRef": "$dynamicRef", "refRemote": "references to other documents",
            "unevaluatedItems": "unevaluatedItems", "unevaluatedProperties": "unevaluatedProperties",
            "not: collect annotations inside a 'not', even if collection is disabled": "unevaluatedProperties",
            "ref: ref creates new scope when adjacent to keywords": "unevaluatedProperties",
            "vocabulary": "$schema of another vocabulary", "optional/format-assertion": "$schema of another vocabulary",
            "defs: validate definition against metaschema": "references to other documents",
            "ref: remote ref, containing refs itself": "references to other documents",
            "optional/cross-draft": "references to other documents", "optional/id": "$id within a schema",
            "optional/unknownKeyword": "unknown keywords",
            "optional/refOfUnknownKeyword: reference of a root arbitrary keyword ": "unknown keywords",
            "optional/refOfUnknownKeyword: reference of an arbitrary keyword of a sub-schema": "unknown keywords",
            "optional/dependencies-compatibility": "dependencies, of older drafts",
        ]
        // References by the names that $id gives to schemas.
        for group in [
            "Recursive references between schemas", "refs with relative uris and defs",
            "relative refs with absolute uris and defs",
            "$id must be resolved against nearest parent, not just immediate parent",
            "order of evaluation: $id and $ref", "order of evaluation: $id and $anchor and $ref",
            "simple URN base URI with $ref via the URN", "URN base URI with URN and JSON pointer ref",
            "URN base URI with URN and anchor ref", "URN ref with nested pointer ref", "ref to if", "ref to then",
            "ref to else", "ref with absolute-path-reference",
        ] {
            refused["ref: \(group)"] = "$id"
        }
        for format in [
            "duration", "ecmascript-regex", "hostname", "idn-email", "idn-hostname", "iri", "iri-reference",
            "json-pointer", "regex", "relative-json-pointer", "unknown", "uri-reference", "uri-template",
        ] {
            refused["optional/format/\(format)"] = "a format that is not supported"
        }
        return refused
    }()

    /// What is left out for another reason.
    private static let excluded: [String: String] = [
        "format": "formats are asserted here, and there they must not be"
    ]

    private static func files() throws -> [(name: String, groups: [Group])] {
        let folder = URL(filePath: try self.folder())
        return try ["", "optional/", "optional/format/"].flatMap { part in
            let names = try FileManager.default.contentsOfDirectory(atPath: folder.appending(path: part).path)
            return try names.filter { $0.hasSuffix(".json") }.sorted().map { name in
                (part + name.dropLast(5), try self.groups(folder.appending(path: part + name)))
            }
        }
    }

    /// Downloads the cases if need be.
    private static func folder() throws -> String {
        let script = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../../../scripts/json-schema-suite.sh").standardized
        let process = Process()
        process.executableURL = script
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "scripts/json-schema-suite.sh failed")
        return text.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private static func groups(_ file: URL) throws -> [Group] {
        // A key that no JSON here may have (SPEC WS-3); another name makes the same case.
        let text = try String(contentsOf: file, encoding: .utf8).replacing("\"__proto__\"", with: "\"__pr0to__\"")
        guard case .array(let groups) = try JSONValue(text: ByteBuffer(string: text)) else { return [] }
        return try groups.map { group in
            guard case .array(let tests) = group["tests"] else { throw CocoaError(.fileReadCorruptFile) }
            return Group(
                name: group["description"]?.string ?? "", schema: group["schema"] ?? .null,
                tests: tests.map {
                    ($0["description"]?.string ?? "", $0["data"] ?? .null, $0["valid"]?.bool ?? false)
                })
        }
    }

    @Test("Each case has the result that it should have, or its schema is refused by name")
    func cases() throws {
        var (passed, groupsRefused, unused) = (0, 0, Set(Self.refused.keys).union(Self.excluded.keys))
        for (file, groups) in try Self.files() {
            for group in groups {
                let names = [file, "\(file): \(group.name)"]
                unused.subtract(names)
                if names.contains(where: { Self.excluded[$0] != nil }) { continue }
                if names.contains(where: { Self.refused[$0] != nil }) {
                    #expect(throws: SchemaError.self, "\(names[1])") { try JSONSchema(group.schema) }
                    groupsRefused += 1
                    continue
                }
                let schema: JSONSchema
                do {
                    schema = try JSONSchema(group.schema)
                } catch {
                    Issue.record("\(names[1]): \(error)")
                    continue
                }
                for test in group.tests {
                    let failure = schema.failure(of: test.value)
                    #expect((failure == nil) == test.isValid, "\(names[1]): \(test.name): \(failure?.message ?? "")")
                    if (failure == nil) == test.isValid { passed += 1 }
                }
            }
        }
        #expect(unused.isEmpty, "named, but not in the suite")
        #expect(passed == 1_154)
        print("JSON-Schema-Test-Suite: \(passed) cases passed, \(groupsRefused) schemas refused as they should be")
    }
}
