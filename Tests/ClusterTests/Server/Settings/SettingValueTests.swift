import Testing

@testable import Server

@Suite struct SettingValueTests {
    private static let seconds = DurationKind(unit: 1, seconds: 0...86_400, isWhole: false)
    private static let milliseconds = DurationKind(unit: 0.001, seconds: 0.01...86_400, isWhole: true)

    @Test(
        "Times have a unit, and are what the flag takes in its own",
        arguments: [
            ("10s", "10", "10s"), ("1500ms", "1.5", "1500ms"), ("1.5s", "1.5", "1500ms"), ("2m", "120", "2m"),
            ("90s", "90", "90s"), ("1d", "86400", "1d"), ("0", "0", "0s"), ("24h", "86400", "1d"),
        ])
    func times(text: String, argument: String, again: String) throws {
        #expect(try Self.seconds.argument(for: text) == argument)
        #expect(Self.seconds.text(of: argument) == again)
    }

    @Test("Times of flags in milliseconds", arguments: [("10s", "10000"), ("10ms", "10"), ("0.25s", "250")])
    func milliseconds(text: String, argument: String) throws {
        #expect(try Self.milliseconds.argument(for: text) == argument)
    }

    @Test(
        "What is no time says why",
        arguments: [
            ("10", "without a unit"), ("10 s", "no known unit"), ("s", "no time"), ("", "no time"), ("-1s", "no time"),
            ("2d", "out of range"), ("1e3s", "no known unit"), ("1.2.3s", "no time"),
        ])
    func noTimes(text: String, why: String) {
        let complaint = #expect(throws: SettingComplaint.self) { try Self.seconds.argument(for: text) }
        #expect(complaint?.why.contains(why) == true, "\(text): \(complaint?.why ?? "")")
    }

    @Test(
        "Sizes are bytes or have a unit",
        arguments: [
            ("1000000", "1000000", "1000000"), ("1MB", "1000000", "1000000"), ("64KiB", "65536", "64KiB"),
            ("1GiB", "1073741824", "1GiB"),
        ])
    func sizes(text: String, argument: String, again: String) throws {
        let kind = SizeKind(unit: 1, bytes: 1...(1 << 30))
        #expect(try kind.argument(for: text) == argument)
        #expect(kind.text(of: argument) == again)
    }

    @Test(
        "Sizes whose flag counts MiB need whole ones",
        arguments: ["256", "1500kB", "1", "99999999999GiB", "1.5MiB", "MiB"])
    func noSizes(text: String) {
        let kind = SizeKind(unit: 1 << 20, bytes: (1 << 20)...(16 << 30))
        #expect(throws: SettingComplaint.self) { try kind.argument(for: text) }
        #expect((try? kind.argument(for: "256MiB")) == "256")
    }

    @Test(
        "The nearest name is told, where one is near",
        arguments: [
            ("pingInterval", "ping-interval"), ("ping_intervall", "ping-interval"), ("prot", "port"),
            ("PORT", "port"), ("databse", "database"), ("xylophone", nil), ("", nil),
        ])
    func nearest(name: String, expected: String?) {
        #expect(NearestName.of(name, in: ["ping-interval", "ping-timeout", "port", "database"]) == expected)
    }

    @Test("Passwords in connection strings are found, wherever they stand")
    func passwords() {
        #expect(ConnectionSecret.isIn("mongodb://u:p@a,b/x"))
        #expect(ConnectionSecret.isIn("mongodb://u@a"))
        #expect(ConnectionSecret.isIn("mongodb://a/?tlsCertificateKeyFilePassword=x"))
        #expect(ConnectionSecret.isIn("nonsense"))
        #expect(!ConnectionSecret.isIn("mongodb://a,b/?replicaSet=rs0&x=y@z"))
    }
}
