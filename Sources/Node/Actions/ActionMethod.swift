/// An HTTP method, as actions are registered for it and called with it. Over a socket the same words are used.
public struct ActionMethod: RawRepresentable, Sendable, Hashable, ExpressibleByStringLiteral {
    public let rawValue: String

    public init(rawValue: String) {
        self.rawValue = rawValue
    }

    public init(stringLiteral value: String) {
        self.init(rawValue: value)
    }

    public static let get = ActionMethod(rawValue: "GET")
    public static let head = ActionMethod(rawValue: "HEAD")
    public static let post = ActionMethod(rawValue: "POST")
    public static let put = ActionMethod(rawValue: "PUT")
    public static let patch = ActionMethod(rawValue: "PATCH")
    public static let delete = ActionMethod(rawValue: "DELETE")
    public static let options = ActionMethod(rawValue: "OPTIONS")
}
