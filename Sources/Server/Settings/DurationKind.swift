/// A time: text with a unit, `10s`, and an argument in the unit of the flag.
struct DurationKind: Sendable, Equatable {
    /// Seconds of the flag's unit: 1, or 0.001 for milliseconds.
    var unit: Double
    /// Seconds.
    var seconds: ClosedRange<Double>
    /// Whether the flag takes whole numbers only.
    var isWhole: Bool

    private static let units: [(name: String, milliseconds: Double)] = [
        ("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000),
    ]
    private static let words = "ms, s, m, h or d"

    func argument(for text: String) throws(SettingComplaint) -> String {
        let digits = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        guard let number = Double(digits), number.isFinite else {
            throw SettingComplaint(
                why: "it is no time", remedy: "Write a number and its unit, as in 10s: \(Self.words).")
        }
        let name = text.dropFirst(digits.count)
        // Zero is the same in every unit.
        guard !name.isEmpty || number == 0 else {
            throw SettingComplaint(
                why: "a time without a unit", remedy: "Write its unit, as in 10s: \(Self.words).")
        }
        guard let unit = name.isEmpty ? Self.units[1] : Self.units.first(where: { $0.name == name }) else {
            throw SettingComplaint(why: "it has no known unit", remedy: "The units are \(Self.words).")
        }
        // Milliseconds are the finest that is kept.
        let milliseconds = (number * unit.milliseconds).rounded()
        let argument = SettingKind.plain(milliseconds / (self.unit * 1_000))
        try self.check(argument)
        return argument
    }

    func check(_ argument: String) throws(SettingComplaint) {
        guard let value = Double(argument), value.isFinite else {
            throw SettingComplaint(
                why: "it is no number",
                remedy: "The flag takes a number of \(self.unit == 1 ? "seconds" : "milliseconds").")
        }
        guard !self.isWhole || Int(argument) != nil else {
            throw SettingComplaint(
                why: "it is no whole number of \(self.unit == 1 ? "seconds" : "milliseconds")",
                remedy: "Write \(self.range), without a fraction.")
        }
        guard self.seconds.contains(value * self.unit) else {
            throw SettingComplaint(why: "it is out of range", remedy: "Write \(self.range).")
        }
    }

    func text(of argument: String) -> String {
        guard let value = Double(argument) else { return argument }
        return Self.text(seconds: value * self.unit)
    }

    var range: String {
        "\(Self.text(seconds: self.seconds.lowerBound)) to \(Self.text(seconds: self.seconds.upperBound))"
    }

    /// In the largest unit that leaves no fraction.
    private static func text(seconds: Double) -> String {
        let milliseconds = (seconds * 1_000).rounded()
        guard milliseconds != 0 else { return "0s" }
        let unit =
            self.units.last { milliseconds.truncatingRemainder(dividingBy: $0.milliseconds) == 0 } ?? self.units[0]
        return SettingKind.plain(milliseconds / unit.milliseconds) + unit.name
    }
}
