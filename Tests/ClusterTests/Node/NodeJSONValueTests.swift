import NIOCore
import Testing

@testable import Node

@Suite("WS-3: JSON of actions")
struct NodeJSONValueTests: NodeActionSuite {
    let pool = NodeTestPool()
    let lines = NodeTestLines()

    @Test(
        "WS-3: JSON that is not taken",
        arguments: [
            #"{"a":1,"a":2}"#, #"{"__proto__":1}"#, #"{"\u005f_proto__":1}"#, #"{"constructor":{"prototype":{}}}"#,
            #""\ud800""#,
            "NaN", "1e999", #"{"a":1}x"#, String(repeating: "[", count: 65) + String(repeating: "]", count: 65), "[1,]",
            "'a'",
        ])
    func strictJSON(text: String) async throws {
        #expect(throws: JSONTextError.self) { try JSONValue(text: ByteBuffer(string: text)) }
        let pipeline = try self.pipeline([Action(.post, "/") { _, _, _ in }])
        let answer = await pipeline.run(Self.call(.post, "/", body: text))
        #expect(answer.status == 400 && answer.content["error"] == "MALFORMED")
    }

    @Test("WS-3: JSON that is taken keeps its values")
    func values() throws {
        let text = #"{"a":[1,-2.5,1e3,true,false,null,"é\n\ud83d\ude00",9007199254740993],"constructor":{"x":{}}}"#
        let value = try JSONValue(text: ByteBuffer(string: " " + text + "\n"))
        #expect(value["a"] == [1, -2.5, 1000.0, true, false, nil, "é\n😀", 9_007_199_254_740_993])
        var buffer = ByteBuffer()
        value.write(to: &buffer)
        #expect(try JSONValue(text: buffer)["a"]?[6] == "é\n😀")
        let deep = String(repeating: "[", count: 64) + String(repeating: "]", count: 64)
        #expect(throws: Never.self) { try JSONValue(text: ByteBuffer(string: deep)) }
    }
}
