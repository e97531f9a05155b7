import NIOCore
import Testing

@testable import Node

@Suite("AC-6: JSON Schema")
struct JSONSchemaTests {
    private static func value(_ text: String) throws -> JSONValue { try JSONValue(text: ByteBuffer(string: text)) }

    @Test(
        "A schema that cannot be used is an error with its place",
        arguments: [
            (#"[]"#, "", "must be an object"), (#"{"tpye":"string"}"#, "/tpye", "is no keyword"),
            (
                #"{"properties":{"a/b":{"unevaluatedProperties":false}}}"#, "/properties/a~1b/unevaluatedProperties",
                "not supported"
            ),
            (#"{"items":[{}]}"#, "/items", "must be an object"), (#"{"type":"text"}"#, "/type", "JSON Schema's types"),
            (#"{"type":[]}"#, "/type", "name a type"), (#"{"required":"a"}"#, "/required", "array of strings"),
            (#"{"required":["a","a"]}"#, "/required", "each there once"), (#"{"minimum":"1"}"#, "/minimum", "a number"),
            (#"{"multipleOf":0}"#, "/multipleOf", "more than 0"), (#"{"multipleOf":-1}"#, "/multipleOf", "more than 0"),
            (#"{"minLength":1.5}"#, "/minLength", "an integer"), (#"{"maxItems":-1}"#, "/maxItems", "at least 0"),
            (#"{"uniqueItems":1}"#, "/uniqueItems", "true or false"), (#"{"enum":{}}"#, "/enum", "an array"),
            (#"{"allOf":[]}"#, "/allOf", "not empty"), (#"{"allOf":[1]}"#, "/allOf/0", "an object"),
            (#"{"properties":[]}"#, "/properties", "object of schemas"),
            (#"{"$defs":{"x":{"type":1}}}"#, "/$defs/x/type", "types"),
            (#"{"pattern":"(a)\\1"}"#, "/pattern", "back-references"),
            (#"{"patternProperties":{"(":{}}}"#, "/patternProperties/(", "not closed"),
            (#"{"format":"hostname"}"#, "/format", "none of the supported"),
            (##"{"$ref":"#/$defs/x"}"##, "/$ref", "where nothing is"),
            (#"{"$ref":"other.json"}"#, "/$ref", "within the schema"), (##"{"$ref":"#x"}"##, "/$ref", "anchors"),
            (#"{"$schema":"http://json-schema.org/draft-07/schema#"}"#, "/$schema", "2020-12"),
            (#"{"items":{"$id":"x"}}"#, "/items/$id", "at the top"), (##"{"$ref":"#"}"##, "", "again and again"),
            (
                ##"{"$defs":{"a":{"allOf":[{"$ref":"#/$defs/b"}]},"b":{"not":{"$ref":"#/$defs/a"}}}}"##, nil,
                "again and again"
            ),
            (#"{"dependentRequired":{"a":1}}"#, "/dependentRequired/a", "array of strings"),
        ] as [(String, String?, String)])
    func errors(schema: String, pointer: String?, why: String) throws {
        let error = #expect(throws: SchemaError.self) { try JSONSchema(try Self.value(schema)) }
        if let pointer { #expect(error?.pointer == pointer) }
        #expect(error?.why.contains(why) == true, "\(error?.why ?? "")")
    }

    @Test(
        "The first failure, with its place and words of our own",
        arguments: [
            (#"{"type":"object","required":["b","a"]}"#, #"{}"#, "/b", "is required"),
            (#"{"type":["string","null"]}"#, "1", "", "must be a string or null"),
            (#"{"properties":{"a":{"items":{"type":"integer"}}}}"#, #"{"a":[1,2.5]}"#, "/a/1", "must be an integer"),
            (
                #"{"additionalProperties":false,"properties":{"a":{}}}"#, #"{"a":1,"x/y":1,"z":1}"#, "/x~1y",
                "is not allowed"
            ),
            (#"{"minimum":3}"#, "2", "", "must be at least 3"),
            (#"{"exclusiveMaximum":0.5}"#, "0.5", "", "must be less than 0.5"),
            (#"{"maxLength":2}"#, #""👍👍👍""#, "", "must have at most 2 characters"),
            (#"{"pattern":"^a"}"#, #""b""#, "", "does not match the pattern"),
            (#"{"format":"uuid"}"#, #""x""#, "", "must be a UUID"),
            (#"{"uniqueItems":true}"#, "[1,[1.0],1.0]", "/2", "is there already"),
            (#"{"enum":[1,2]}"#, "3", "", "must be one of the values that are allowed"),
            (#"{"anyOf":[{"type":"null"},{"type":"object","required":["a"]}]}"#, "{}", "/a", "is required"),
            (#"{"anyOf":[{"minimum":3},{"maximum":1}]}"#, "2", "", "has none of the forms that are allowed"),
            (#"{"oneOf":[{},{}]}"#, "2", "", "has more than one of the forms that exclude each other"),
            (
                #"{"propertyNames":{"maxLength":1}}"#, #"{"ab":1}"#, "/ab",
                "has a name that is not allowed: it must have at most 1 characters"
            ),
        ])
    func failures(schema: String, value: String, path: String, message: String) throws {
        let failure = try JSONSchema(try Self.value(schema)).failure(of: try Self.value(value))
        #expect(failure?.path == path)
        #expect(failure?.message == message)
    }

    @Test(
        "Numbers are compared by their values, not by their binary fractions",
        arguments: [
            (#"{"multipleOf":0.01}"#, "19.99", true), (#"{"multipleOf":0.1}"#, "0.30000000000000004", false),
            (#"{"multipleOf":0.1}"#, "1e300", true), (#"{"multipleOf":7}"#, "9223372036854775807", true),
            (#"{"multipleOf":7}"#, "9223372036854775806", false), (#"{"multipleOf":1e-300}"#, "1e300", true),
            (#"{"multipleOf":3e300}"#, "1e-300", false), (#"{"multipleOf":3e300}"#, "0", true),
            (#"{"multipleOf":3e300}"#, "-9e300", true), (#"{"maximum":9007199254740992}"#, "9007199254740993", false),
            (#"{"maximum":9007199254740992.0}"#, "9007199254740993", false),
            (#"{"minimum":-9223372036854775808}"#, "-1e19", false),
            (#"{"const":1}"#, "1.0", true), (#"{"const":9007199254740993}"#, "9007199254740992.0", false),
            (#"{"type":"integer"}"#, "1.0", true), (#"{"type":"integer"}"#, "1e300", true),
            (#"{"type":"integer"}"#, "1.5", false),
            (#"{"format":"int32"}"#, "2147483647.0", true), (#"{"format":"int32"}"#, "2147483648", false),
            (#"{"format":"int64"}"#, "1e19", false), (#"{"format":"int64"}"#, "-9223372036854775808", true),
            (#"{"const":"é"}"#, "\"e\u{301}\"", false), (#"{"const":{"a":[1]}}"#, #"{"a":[1.0]}"#, true),
        ])
    func numbers(schema: String, value: String, isValid: Bool) throws {
        #expect((try JSONSchema(try Self.value(schema)).failure(of: try Self.value(value)) == nil) == isValid)
    }

    @Test("What one check may cost is bounded, by work and by depth")
    func bounds() throws {
        let nested = (0..<64).reduce(JSONValue.array([])) { value, _ in [value] }
        let tree = try JSONSchema(["items": ["$ref": "#"]])
        #expect(tree.failure(of: nested) == nil)
        // Every level is looked at twice by the one above.
        let double = try JSONSchema(["allOf": [["items": ["$ref": "#"]], ["items": ["$ref": "#"]]]])
        #expect(double.failure(of: nested)?.message == "takes too long to check")
        // Neither `not` nor `anyOf` makes a check that was given up a success.
        let hidden = try JSONSchema([
            "not": ["$ref": "#/$defs/x"],
            "$defs": ["x": ["allOf": [["items": ["$ref": "#/$defs/x"]], ["items": ["$ref": "#/$defs/x"]]]]],
        ])
        #expect(hidden.failure(of: nested)?.message == "takes too long to check")
        var chain: [String: JSONValue] = [:]
        for index in 0..<500 { chain["a\(index)"] = ["$ref": .string("#/$defs/a\(index + 1)")] }
        chain["a500"] = true
        let long = try JSONSchema(["$ref": "#/$defs/a0", "$defs": .object(chain)])
        #expect(long.failure(of: 1)?.message == "is nested too deeply to be checked")
        #expect(throws: SchemaError.self) {
            try JSONSchema(["prefixItems": .array(Array(repeating: true, count: 10_000))])
        }
        let pattern = try JSONSchema(["pattern": "(a+)+$"])
        let text = JSONValue.string(String(repeating: "a", count: 10_000) + "!")
        #expect(pattern.failure(of: text)?.message == "does not match the pattern")
        #expect(pattern.failure(of: text, work: 1_000)?.message == "takes too long to check")
    }

    @Test("Large arrays are unique in linear work")
    func uniqueness() throws {
        let schema = try JSONSchema(["uniqueItems": true])
        let elements = (0..<100_000).map { JSONValue.array([.int($0), .string("x")]) }
        #expect(schema.failure(of: .array(elements), work: 1_000_000) == nil)
        #expect(schema.failure(of: .array(elements + [[7.0, "x"]]), work: 1_000_000)?.path == "/100000")
    }
}
