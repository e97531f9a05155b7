/// Why a file of control keys cannot be used.
package enum ControlKeyError: Error, Sendable, Equatable {
    case unreadable(path: String, why: String)
    /// Says what is wrong with a line.
    case malformed(String)
    case line(Int, path: String, why: String)
    case repeatedName(String, path: String)
    case tooLarge(path: String)
}

extension ControlKeyError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unreadable(let path, let why): "\(path): \(why)"
        case .malformed(let why): why
        case .line(let number, let path, let why): "\(path), line \(number): \(why)"
        case .repeatedName(let name, let path): "\(path): two keys are named \(name)"
        case .tooLarge(let path): "\(path) has more than \(ControlKeyFile.largest) bytes"
        }
    }
}
