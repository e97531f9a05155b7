internal import Foundation

/// Bytes as base64 with padding (RFC 4648 §4), as every language reads it.
enum Base64Text {
    static func encode(_ bytes: some Sequence<UInt8>) -> String { Data(bytes).base64EncodedString() }
}
