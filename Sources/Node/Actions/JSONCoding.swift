internal import Foundation
internal import NIOCore

/// How Swift values become JSON and back: dates as RFC 3339 has them, data as base64.
enum JSONCoding {
    static func encoder() -> JSONEncoder {
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .custom { date, encoder in
            var container = encoder.singleValueContainer()
            let isWhole = date.timeIntervalSince1970.rounded() == date.timeIntervalSince1970
            try container.encode(date.formatted(isWhole ? Self.whole : Self.fractional))
        }
        return encoder
    }

    static func decoder() -> JSONDecoder {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .custom { decoder in
            let container = try decoder.singleValueContainer()
            let text = try container.decode(String.self).uppercased()
            guard SchemaFormat.dateTime.accepts(.string(text)) else {
                throw DecodingError.dataCorruptedError(in: container, debugDescription: "no date of RFC 3339")
            }
            return try (text.contains(".") ? Self.fractional : Self.whole).parse(text)
        }
        return decoder
    }

    private static var whole: Date.ISO8601FormatStyle { Date.ISO8601FormatStyle() }
    private static var fractional: Date.ISO8601FormatStyle { Date.ISO8601FormatStyle(includingFractionalSeconds: true) }
}

extension JSONValue {
    /// Any value that can be encoded, as JSON.
    package init(encoding value: some Encodable) throws {
        if let value = value as? JSONValue {
            self = value
        } else {
            let data = try JSONCoding.encoder().encode(value)
            self = try JSONValue(text: ByteBuffer(bytes: data))
        }
    }

    /// Decodes a type from the value.
    package func decoded<Value: Decodable>(as type: Value.Type) throws -> Value {
        var buffer = ByteBuffer()
        self.write(to: &buffer)
        return try JSONCoding.decoder().decode(type, from: Data(buffer.readableBytesView))
    }
}
