/// One element of `Sec-WebSocket-Extensions` (RFC 6455 §9.1).
package struct WebSocketExtension: Equatable, Sendable {
    package struct Parameter: Equatable, Sendable {
        package let name: String
        /// nil where there is none; the quotes of a quoted one are gone.
        package let value: String?
    }

    package let name: String
    package let parameters: [Parameter]

    /// - Returns: nil where the field does not follow the grammar; the handshake fails then.
    package static func parse(_ value: UnsafeRawBufferPointer) -> [WebSocketExtension]? {
        var reader = HeaderTokenReader(value)
        var found: [WebSocketExtension] = []
        while true {
            reader.skipBlanks()
            // Lists may have empty elements (RFC 9110 §5.6.1.2), but not only such.
            if reader.take(UInt8(ascii: ",")) { continue }
            if reader.isAtEnd { return found.isEmpty ? nil : found }
            guard let name = reader.token() else { return nil }
            var parameters: [Parameter] = []
            reader.skipBlanks()
            while reader.take(UInt8(ascii: ";")) {
                reader.skipBlanks()
                guard let parameter = reader.token() else { return nil }
                reader.skipBlanks()
                var value: String?
                if reader.take(UInt8(ascii: "=")) {
                    reader.skipBlanks()
                    value = reader.token() ?? reader.quotedToken()
                    if value == nil { return nil }
                    reader.skipBlanks()
                }
                parameters.append(Parameter(name: parameter, value: value))
            }
            found.append(WebSocketExtension(name: name, parameters: parameters))
            guard reader.isAtEnd || reader.take(UInt8(ascii: ",")) else { return nil }
        }
    }
}
