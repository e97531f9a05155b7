import NIOCore
import Testing

@testable import Wire

@Suite("BSON, written and read")
struct BSONRoundTripTests {
    private static func sample() -> ByteBuffer {
        BSONWriter.document { writer in
            writer.append("double", 1.5)
            writer.append("text", "grüße\u{0}!")
            writer.document("nested") { nested in
                nested.append("yes", true)
                nested.array("list") { list in
                    list.element(Int32(7))
                    list.element(Int64.min)
                    list.documentElement { $0.append("deep", BSONNull()) }
                    list.arrayElement { $0.element("x") }
                    list.element(false)
                }
            }
            writer.append("bytes", BSONBinary([1, 2, 3]))
            writer.append("date", BSONDate(milliseconds: -5))
            writer.append("time", BSONTimestamp(seconds: 3, increment: 9))
            writer.append("absent", ifPresent: nil as String?)
        }
    }

    @Test("Every type comes back as it was written")
    func everyType() throws {
        let document = try BSONDocument(Self.sample())
        #expect(
            document.map(\.name) == ["double", "text", "nested", "bytes", "date", "time"])
        #expect(document["double"]?.double == 1.5)
        #expect(document["text"]?.string == "grüße\u{0}!")
        let nested = try #require(document["nested"]?.document)
        #expect(nested["yes"]?.bool == true)
        let list = try #require(nested["list"]?.array)
        #expect(list.map(\.name) == ["0", "1", "2", "3", "4"])
        #expect(list["0"]?.int64 == 7)
        #expect(list["1"]?.int64 == .min)
        #expect(list["2"]?.document?["deep"]?.isNull == true)
        #expect(list["3"]?.array?["0"]?.string == "x")
        #expect(list["4"]?.bool == false)
        #expect(document["bytes"]?.binary == ByteBuffer(bytes: [1, 2, 3]))
        #expect(document["date"]?.date == -5)
        #expect(document["time"]?.timestamp == BSONTimestamp(seconds: 3, increment: 9))
        #expect(document["absent"] == nil)
    }

    @Test("The bytes are those of the BSON specification's examples")
    func specificationExamples() {
        let hello = BSONWriter.document { $0.append("hello", "world") }
        #expect(
            Array(hello.readableBytesView)
                == Array(
                    [0x16, 0, 0, 0, 0x02] + Array("hello".utf8) + [0, 6, 0, 0, 0] + Array("world".utf8) + [0, 0]))
        let awesome = BSONWriter.document { writer in
            writer.array("BSON") { list in
                list.element("awesome")
                list.element(5.05)
                list.element(Int32(1986))
            }
        }
        #expect(
            Array(awesome.readableBytesView) == [
                0x31, 0, 0, 0, 0x04, 0x42, 0x53, 0x4F, 0x4E, 0, 0x26, 0, 0, 0, 0x02, 0x30, 0, 8, 0, 0, 0, 0x61, 0x77,
                0x65, 0x73, 0x6F, 0x6D, 0x65, 0, 0x01, 0x31, 0, 0x33, 0x33, 0x33, 0x33, 0x33, 0x33, 0x14, 0x40, 0x10,
                0x32, 0, 0xC2, 0x07, 0, 0, 0, 0,
            ])
    }

    @Test("A document is appended behind what the buffer holds, and its count is its own")
    func appending() throws {
        var writer = BSONWriter(appendingTo: ByteBuffer(string: "head"))
        writer.append("a", Int32(1))
        let count = writer.count
        var buffer = writer.finish()
        #expect(buffer.readString(length: 4) == "head")
        #expect(buffer.readableBytes == count)
        #expect(try BSONDocument(buffer)["a"]?.int64 == 1)
    }

    @Test("An element is passed on as it was read")
    func passOn() throws {
        let document = try BSONDocument(Self.sample())
        let copy = BSONDocument { writer in for element in document { writer.append(element.name, element) } }
        #expect(copy == document)
    }

    @Test("A getter for another type answers nil; whole numbers are read from any numeric type")
    func getters() throws {
        let document = BSONDocument { writer in
            writer.append("n", 3.0)
            writer.append("f", 3.5)
            writer.append("huge", 1e300)
            writer.append("s", "3")
        }
        #expect(document["n"]?.int64 == 3)
        #expect(document["f"]?.int64 == nil)
        #expect(document["huge"]?.int == nil)
        #expect(document["s"]?.int64 == nil)
        #expect(document["s"]?.document == nil)
        #expect(document["n"]?.string == nil)
        #expect(document["n"]?.isTrue == true)
    }

    @Test("A string that is not UTF-8 is no string, and harms nothing else")
    func notText() throws {
        let bytes: [UInt8] = [16, 0, 0, 0, 0x02, 0x61, 0, 3, 0, 0, 0, 0xC3, 0x28, 0, 0x0A, 0]
        var buffer = ByteBuffer(bytes: bytes.dropLast(2) + [0])
        buffer.setInteger(Int32(buffer.readableBytes), at: 0, endianness: .little)
        let document = try BSONDocument(buffer)
        #expect(document["a"]?.type == .string)
        #expect(document["a"]?.string == nil)
    }
}
