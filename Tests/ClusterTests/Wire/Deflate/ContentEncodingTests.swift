import NIOCore
import Testing

@testable import Wire

@Suite struct WireContentEncodingTests {
    @Test(
        "RFC 9110 §12.5.3: the highest weight counts, gzip before deflate",
        arguments: [
            ([], nil), ([""], nil), (["gzip"], .gzip), (["deflate"], .deflate), (["GZIP , Deflate"], .gzip),
            (["gzip;q=0.5, deflate"], .deflate), (["gzip;q=0.5", "deflate;q=0.501"], .deflate),
            (["gzip;q=0"], nil), (["gzip;q=0.000, deflate;q=0"], nil), (["*"], .gzip), (["*;q=0"], nil),
            (["gzip;q=0, *"], .deflate), (["br"], nil), (["br, x-gzip;q=0.1"], .gzip),
            (["identity;q=1, gzip;q=0.5"], nil), (["identity;q=0.5, gzip"], .gzip), (["identity, gzip"], .gzip),
            (["gzip;q=2"], nil), (["gzip;q=1.001"], nil), (["gzip;q=abc, deflate"], .deflate), (["gzip; q=0.8"], .gzip),
        ] as [([String], ContentEncoding?)])
    func negotiation(fields: [String], expected: ContentEncoding?) {
        #expect(ContentEncoding.negotiate(fields) == expected)
    }

    @Test("Whole bodies are complete streams of their form, one after the other from the same deflater")
    func bodies() {
        let text = String(repeating: "4hello ", count: 500)
        for (format, first) in [(Deflater.Format.gzip, [0x1F, 0x8B] as [UInt8]), (.zlib, [0x78])] {
            let deflater = Deflater(format)
            let bodies = (0..<2).map { _ in WireFixture.withBytes(text) { deflater.compress(body: $0) } }
            #expect(bodies[0] == bodies[1])
            #expect(bodies[0].readableBytesView.starts(with: first))
            #expect(bodies[0].readableBytes < 200)
        }
    }
}
