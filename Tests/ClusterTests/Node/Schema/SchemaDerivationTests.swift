import Foundation
import NIOCore
import Testing

@testable import Node

@Suite("AC-6, AC-11: schemas of Swift types")
struct SchemaDerivationTests {
    struct Post: Codable {
        enum Mood: String, Codable, CaseIterable { case glad, sad }
        enum Level: Int, Codable, CaseIterable { case low = 1, high = 3 }
        struct Author: Codable {
            let name: String
            let mail: String?
        }

        let text: String
        let likes: Int
        let rank: UInt8?
        let small: Int32
        let score: Double
        let isPublic: Bool
        let tags: [String]
        let labels: Set<String>?
        let counts: [String: Int]
        let author: Author
        let readers: [Author]?
        let mood: Mood
        let level: Level?
        let at: Date
        let id: UUID
        let link: URL?
        let raw: Data?
        let price: Decimal?
        let extra: JSONValue?
        let holes: [Int?]
    }

    @Test("Properties, optionals, nested types, arrays, dictionaries, enumerations and what Foundation has")
    func post() throws {
        let author: JSONValue = [
            "type": "object", "required": ["name"],
            "properties": ["name": ["type": "string"], "mail": ["type": ["string", "null"]]],
        ]
        let int: JSONValue = ["type": "integer", "format": "int64"]
        let schema = try SchemaDerivation.schema(of: Post.self)
        #expect(schema["type"] == "object")
        #expect(
            schema["required"] == [
                "at", "author", "counts", "holes", "id", "isPublic", "likes", "mood", "score", "small", "tags", "text",
            ])
        #expect(
            schema["properties"] == [
                "text": ["type": "string"], "likes": int,
                "rank": ["type": ["integer", "null"], "minimum": 0, "maximum": 255],
                "small": ["type": "integer", "format": "int32"], "score": ["type": "number"],
                "isPublic": ["type": "boolean"], "tags": ["type": "array", "items": ["type": "string"]],
                "labels": ["type": ["array", "null"], "items": ["type": "string"], "uniqueItems": true],
                "counts": ["type": "object", "additionalProperties": int], "author": author,
                "readers": ["type": ["array", "null"], "items": author],
                "mood": ["type": "string", "enum": ["glad", "sad"]],
                "level": ["anyOf": [["type": "integer", "enum": [1, 3]], ["type": "null"]]],
                "at": ["type": "string", "format": "date-time"], "id": ["type": "string", "format": "uuid"],
                "link": ["type": ["string", "null"], "format": "uri"],
                "raw": ["type": ["string", "null"], "contentEncoding": "base64"],
                "price": ["type": ["number", "null"]], "extra": true,
                "holes": ["type": "array", "items": ["type": ["integer", "null"], "format": "int64"]],
            ])
        #expect(throws: Never.self) { try JSONSchema(schema) }
    }

    @Test("What the schema lets pass is decoded, and what is encoded fits the schema")
    func roundTrip() throws {
        let post = Post(
            text: "a", likes: .max, rank: 255, small: .min, score: 0.1, isPublic: true, tags: ["x"], labels: ["y"],
            counts: ["z": -1], author: .init(name: "n", mail: nil), readers: [.init(name: "m", mail: "m@example.org")],
            mood: .sad, level: .high, at: Date(timeIntervalSince1970: 1_700_000_000.25), id: UUID(),
            link: URL(string: "https://example.org/a"), raw: Data([0, 255]), price: 12.34, extra: ["a": [nil]],
            holes: [1, nil])
        let value = try JSONValue(encoding: post)
        #expect(value["at"] == "2023-11-14T22:13:20.250Z")
        let schema = try JSONSchema(try SchemaDerivation.schema(of: Post.self))
        #expect(schema.failure(of: value) == nil)
        let back = try value.decoded(as: Post.self)
        #expect(back.at == post.at && back.id == post.id && back.raw == post.raw && back.price == post.price)
        #expect(back.level == .high && back.likes == .max && back.holes == [1, nil])
    }

    struct Comment: Codable {
        let text: String
        let replies: [Comment]
        let parent: Box?
        struct Box: Codable { let of: [Comment] }
    }
    final class Link: Codable {
        let next: Link?
        init(next: Link?) { self.next = next }
    }

    @Test("A type that holds itself refers to itself")
    func recursion() throws {
        let comment = try SchemaDerivation.schema(of: Comment.self)
        #expect(comment["$ref"] == "#/$defs/Comment")
        #expect(comment["$defs"]?["Comment"]?["properties"]?["replies"]?["items"] == ["$ref": "#/$defs/Comment"])
        let schema = try JSONSchema(comment)
        #expect(schema.failure(of: ["text": "a", "replies": [["text": "b", "replies": []]]]) == nil)
        #expect(schema.failure(of: ["text": "a", "replies": [["text": 1, "replies": []]]])?.path == "/replies/0/text")
        let link = try JSONSchema(try SchemaDerivation.schema(of: Link.self))
        #expect(link.failure(of: ["next": ["next": nil]]) == nil)
        #expect(link.failure(of: ["next": ["next": 1]])?.path == "/next/next")
    }

    struct Wrapped: RawRepresentable, Codable { let rawValue: String }
    struct Renamed: Codable {
        let user: Wrapped
        enum CodingKeys: String, CodingKey { case user = "user_id" }
    }
    struct Defaulted: Decodable {
        let count: Int
        enum CodingKeys: CodingKey { case count }
        init(from decoder: any Decoder) throws {
            self.count = try decoder.container(keyedBy: CodingKeys.self).decodeIfPresent(Int.self, forKey: .count) ?? 3
        }
    }
    class Base: Codable { let a: Int = 1; enum CodingKeys: CodingKey { case a } }

    @Test("Wrapped values, other keys, defaults, single values")
    func others() throws {
        let int: JSONValue = ["type": ["integer", "null"], "format": "int64"]
        #expect(
            try SchemaDerivation.schema(of: Renamed.self)
                == ["type": "object", "required": ["user_id"], "properties": ["user_id": ["type": "string"]]])
        #expect(try SchemaDerivation.schema(of: Defaulted.self) == ["type": "object", "properties": ["count": int]])
        #expect(try SchemaDerivation.schema(of: [String: [Bool]].self)["additionalProperties"]?["type"] == "array")
        #expect(try SchemaDerivation.schema(of: String.self) == ["type": "string"])
        #expect(try SchemaDerivation.schema(of: [Int: Bool].self)["propertyNames"] == ["pattern": "^-?[0-9]+$"])
    }

    enum Plain: String, Codable { case a, b }
    enum Zero: Int, Codable { case a, b }
    enum Payload: Codable { case a(Int), b }
    struct Holder<Value: Codable>: Codable { let value: Value }
    struct Strict: Decodable {
        init(from decoder: any Decoder) throws {
            let text = try decoder.singleValueContainer().decode(String.self)
            guard text.count == 3 else {
                throw DecodingError.dataCorrupted(.init(codingPath: [], debugDescription: "three letters"))
            }
        }
    }
    struct Silent: Decodable { init(from decoder: any Decoder) throws {} }
    struct Either: Decodable {
        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if try container.decode(String.self) == "" { _ = try container.decode(Int.self) }
        }
    }

    @Test("A type that does not show what it decodes is refused")
    func refused() {
        func refuse<Value: Decodable>(_ type: Value.Type, _ why: String) {
            let error = #expect(throws: SchemaDerivationError.self) { try SchemaDerivation.schema(of: type) }
            #expect(error?.description.contains(why) == true, "\(error?.description ?? "")")
            #expect(error?.description.contains("JSONSchemaProviding") == true)
        }
        refuse(Plain.self, "Plain")
        refuse(Zero.self, "not CaseIterable")
        refuse(Holder<Zero>.self, "Zero")
        refuse(Payload.self, "Payload")
        refuse(Strict.self, "three letters")
        refuse(Silent.self, "does not show")
        refuse(Either.self, "more than one way")
        refuse([Bool: Int].self, "strings as keys")
        refuse(Holder<[Plain]>.self, "Plain")
    }

    struct Colour: Codable, JSONSchemaProviding {
        static var jsonSchema: ActionSchema { ["type": "string", "pattern": "^[0-9a-f]{6}$", "examples": ["ffffff"]] }
        let red: Int
        init(from decoder: any Decoder) throws {
            let text = try decoder.singleValueContainer().decode(String.self)
            guard text.count == 6, let red = Int(text.prefix(2), radix: 16) else {
                throw DecodingError.dataCorrupted(.init(codingPath: [], debugDescription: "a colour"))
            }
            self.red = red
        }
        func encode(to encoder: any Encoder) throws {}
    }

    @Test("A type may say itself what it decodes, also within another")
    func provided() throws {
        #expect(try SchemaDerivation.schema(of: Colour.self)["pattern"] == "^[0-9a-f]{6}$")
        let holder = try SchemaDerivation.schema(of: Holder<Colour>.self)
        #expect(holder["properties"]?["value"]?["pattern"] == "^[0-9a-f]{6}$")
        #expect(
            try SchemaDerivation.schema(of: Holder<Colour?>.self)["properties"]?["value"]?["type"] == [
                "string", "null",
            ])
    }
}
