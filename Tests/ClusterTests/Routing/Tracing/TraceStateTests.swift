import Routing
import Testing

@Suite("W3C tracestate") struct TraceStateTests {
    private static let long = String(repeating: "v", count: 256)

    @Test(
        "Members are passed on in their order, without empty ones and the blanks around them",
        arguments: [
            (["a=1"], "a=1"), (["a=1,b=2", "c=3"], "a=1,b=2,c=3"), ([" a=1 ,\t,, b=x y "], "a=1,b=x y"),
            (["tenant-1@vendor=!~", "1t@v=1"], "tenant-1@vendor=!~,1t@v=1"), (["a_-*/9=0"], "a_-*/9=0"),
            (["\(String(repeating: "k", count: 256))=1"], "\(String(repeating: "k", count: 256))=1"),
        ])
    func valid(fields: [String], text: String) {
        #expect(TraceState(fields)?.text == text)
    }

    @Test(
        "Where one member is not of the form, none is passed on",
        arguments: [
            [], [""], [" , "], ["a"], ["a="], ["=1"], ["a=1,b"], ["a=1=2"], ["A=1"], ["1a=1"], ["a b=1"], ["a =1"],
            ["a=é"], ["a=1\u{7F}"], ["a=1,a=2"], ["a=1", "a=1"], ["a@b@c=1"], ["@a=1"], ["a@=1"], ["a@1=1"],
            ["a@\(String(repeating: "v", count: 15))=1"], ["\(String(repeating: "t", count: 242))@v=1"],
            ["\(String(repeating: "k", count: 257))=1"], ["a=\(long)v"],
        ])
    func invalid(fields: [String]) {
        #expect(TraceState(fields) == nil)
    }

    @Test("There are 32 members at most, and 512 bytes: long members go first, then those at the end")
    func limits() {
        func members(_ count: Int) -> String { (0..<count).map { "k\($0)=1" }.joined(separator: ",") }
        #expect(TraceState([members(32)])?.text == members(32))
        #expect(TraceState([members(33)]) == nil)
        #expect(TraceState(["a=\(Self.long)"])?.text.utf8.count == 258)
        #expect(TraceState(["a=\(Self.long),b=1,c=\(Self.long)"])?.text == "b=1")
        let tight = (0..<5).map { "k\($0)=" + String(repeating: "v", count: 124) }
        #expect(TraceState([tight.joined(separator: ",")])?.text == tight.prefix(4).joined(separator: ","))
        #expect(TraceState(["a=\(Self.long),b=\(Self.long)"]) == nil)
    }
}
