/// A number of bytes: text with a unit or without, `256MiB`, and an argument in the unit of the flag.
struct SizeKind: Sendable, Equatable {
    /// Bytes of the flag's unit.
    var unit: Int
    /// Bytes.
    var bytes: ClosedRange<Int>

    private static let units: [(name: String, bytes: Int)] = [
        ("", 1), ("B", 1), ("kB", 1_000), ("MB", 1_000_000), ("GB", 1_000_000_000),
        ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30),
    ]

    func argument(for text: String) throws(SettingComplaint) -> String {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let name = text.dropFirst(digits.count)
        guard let number = Int(digits), let unit = Self.units.first(where: { $0.name == name }) else {
            throw SettingComplaint(
                why: "it is no size", remedy: "Write a whole number of bytes, or with kB, MB, GB, KiB, MiB or GiB.")
        }
        let (bytes, isTooMuch) = number.multipliedReportingOverflow(by: unit.bytes)
        guard !isTooMuch, self.bytes.contains(bytes) else {
            throw SettingComplaint(why: "it is out of range", remedy: "Write \(self.range).")
        }
        guard bytes % self.unit == 0 else {
            throw SettingComplaint(
                why: "it is no multiple of \(Self.text(bytes: self.unit))",
                remedy: "Write a whole number of \(Self.text(bytes: self.unit).drop { $0.isNumber }).")
        }
        return String(bytes / self.unit)
    }

    func check(_ argument: String) throws(SettingComplaint) {
        guard let value = Int(argument) else {
            throw SettingComplaint(why: "it is no whole number", remedy: "Write \(self.range).")
        }
        let (bytes, isTooMuch) = value.multipliedReportingOverflow(by: self.unit)
        guard !isTooMuch, self.bytes.contains(bytes) else {
            throw SettingComplaint(why: "it is out of range", remedy: "Write \(self.range).")
        }
    }

    func text(of argument: String) -> String {
        guard let value = Int(argument) else { return argument }
        return Self.text(bytes: value * self.unit)
    }

    var range: String { "\(Self.text(bytes: self.bytes.lowerBound)) to \(Self.text(bytes: self.bytes.upperBound))" }

    private static func text(bytes: Int) -> String {
        let unit = self.units.last { bytes >= $0.bytes && bytes % $0.bytes == 0 && $0.name.hasSuffix("iB") }
        guard let unit else { return String(bytes) }
        return "\(bytes / unit.bytes)\(unit.name)"
    }
}
