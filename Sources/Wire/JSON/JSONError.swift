/// Why a text is no JSON that we take, or a value none that we write.
package enum JSONError: Error, Equatable, Sendable {
    /// Malformed, nested too deeply, or followed by something.
    case syntax
    case invalidUTF8
    /// SPEC WS-3, in strict mode.
    case duplicateKey
    /// SPEC WS-3, in strict mode: `__proto__`, `constructor`, `prototype`.
    case pollutingKey
    /// SPEC WS-3, in strict mode.
    case loneSurrogate
    /// A number that no finite double holds, read or written.
    case notFinite
    /// A value to be written has more levels than `JSONScanner.depthLimit`.
    case tooDeep
}
