import NIOCore
import Node
import Wire

/// The head of an HTTP request as the front door reads it, and the WebSocket handshake in it (CVE-2024-37890).
enum HeadTarget {
    static func run(_ bytes: UnsafeRawBufferPointer) throws(Finding) {
        var limits = UpgradeRequest.Limits()
        limits.fieldCount = 12
        limits.targetBytes = 200
        let request: UpgradeRequest
        do { request = try UpgradeRequest(head: bytes, limits: limits) } catch { return }
        try Finding.check(request.fields.count <= limits.fieldCount, "fields are bounded")
        try Finding.check(request.target.utf8.count <= limits.targetBytes, "the target is bounded")
        for part in [request.method, request.target] {
            try Finding.check(!part.utf8.contains(where: { $0 == 0x0A || $0 == 0x20 }), "a part is one word")
        }
        var handshake = WebSocketHandshake()
        for field in request.fields {
            try Finding.check(!field.name.isEmpty, "a field has a name")
            let isClean = field.value.utf8.allSatisfy { $0 != 0x0D && $0 != 0x0A && $0 != 0 }
            try Finding.check(isClean, "no field ends another one's line")
            let edges = [field.value.utf8.first, field.value.utf8.last]
            try Finding.check(!edges.contains(0x20) && !edges.contains(0x09), "a value has no blanks around it")
            handshake.note(name: String(field.name), value: String(field.value))
        }
        guard handshake.verdict(isGET: request.method == "GET", isHTTP11: true) == .accept else { return }
        var accept = ByteBuffer()
        handshake.writeAccept(into: &accept)
        try Finding.check(accept.readableBytes == 28, "an accepted key is answered with 28 characters")
    }
}
