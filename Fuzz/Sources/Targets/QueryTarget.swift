import Wire

/// The query of a request: read, judged in every situation, and written again (CVE-2023-31125).
enum QueryTarget {
    static func run(_ bytes: UnsafeRawBufferPointer) throws(Finding) {
        var pairs: [(String, String)] = []
        let isWellFormed = EngineQuery.forEach(bytes) { pairs.append(($0, $1)) }
        try Finding.check(pairs.count <= EngineQuery.maxPairs, "pairs are bounded")
        let request = try? EngineRequest(query: bytes)
        try Finding.check((request != nil) == isWellFormed, "a malformed query is refused")
        guard let request else { return }
        try self.judge(request)

        var again: [UInt8] = []
        for (name, value) in pairs {
            if !again.isEmpty { again.append(UInt8(ascii: "&")) }
            self.encode(name, into: &again)
            again.append(UInt8(ascii: "="))
            self.encode(value, into: &again)
        }
        var second: [(String, String)] = []
        let isWellFormedAgain = again.withUnsafeBytes { EngineQuery.forEach($0) { second.append(($0, $1)) } }
        let isSame = isWellFormedAgain && pairs.elementsEqual(second) { $0.0 == $1.0 && $0.1 == $1.1 }
        try Finding.check(isSame, "an encoded query reads as what was encoded")
    }

    private static func judge(_ request: EngineRequest) throws(Finding) {
        var options = EngineOptions()
        for allowsWebSocket in [true, false] {
            options.allowsWebSocket = allowsWebSocket
            for method in [EngineRequest.Method.get, .post, .other] {
                for isUpgrade in [true, false] {
                    for session in [EngineTransport?.none, .polling, .websocket] {
                        let verdict = request.verdict(
                            method: method, isUpgrade: isUpgrade, isOriginLegal: true, session: session,
                            options: options)
                        switch verdict {
                        case .handshake(let transport):
                            try Finding.check(
                                request.sid == nil && request.isVersion4 && method == .get
                                    && isUpgrade == (transport == .websocket) && transport == request.transport,
                                "a handshake is a GET of version 4 without sid")
                        case .session, .methodNotAllowed:
                            try Finding.check(
                                request.isSessionIDPlausible && session != nil, "a session is named by its id")
                        case .refuse: break
                        }
                    }
                }
            }
        }
    }

    private static func encode(_ text: String, into bytes: inout [UInt8]) {
        let digits = Array("0123456789abcdef".utf8)
        for byte in text.utf8 {
            bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
    }
}
