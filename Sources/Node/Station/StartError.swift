/// A start that failed, in the words of the person who has to mend it.
public struct StartError: Error, Sendable, CustomStringConvertible {
    /// What could not be done, e.g. `cannot listen on 127.0.0.1:8080`.
    public let what: String
    public let why: String
    /// What to do about it.
    public let remedy: String
    /// The flags of `serve` that it is about, the likeliest first; empty where it is about the world.
    package let about: [String]

    package init(_ what: String, why: String, remedy: String, about: [String] = []) {
        self.what = what
        self.why = why
        self.remedy = remedy
        self.about = about
    }

    public var description: String { "\(self.what): \(self.why). \(self.remedy)" }
}
