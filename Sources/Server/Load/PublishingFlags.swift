import ArgumentParser

/// Options of the scenarios in which publishers send `pub(user, payload)`.
struct PublishingFlags: ParsableArguments {
    private static let mostEvents = Double(LoadPlan.mostEvents)

    @Option(help: ArgumentHelp("Time for which events are sent.", valueName: "seconds"))
    var duration = 10.0

    @Option(help: "Events a second for each user, from all publishers together.")
    var rate = 5.0

    @Option(help: "In place of --rate: events of one publisher that wait for their receipt, as fast as receipts come.")
    var inFlight: Int?

    @Option(help: "Connections that publish.")
    var publishers = 1

    @Option(help: "Bytes of padding in a payload.")
    var bytes = 32

    @Option(help: ArgumentHelp("Longest wait at the end for what is under way.", valueName: "seconds"))
    var settle = 15.0

    func validate() throws {
        try LoadFlags.check("duration", self.duration)
        try LoadFlags.check("settle", self.settle)
        guard (0.001...1_000_000).contains(self.rate) else { throw ValidationError("--rate takes 0.001 to 1000000") }
        if let inFlight = self.inFlight, !(1...10_000).contains(inFlight) {
            throw ValidationError("--in-flight takes 1 to 10000")
        }
        guard (1...10_000).contains(self.publishers) else { throw ValidationError("--publishers takes 1 to 10000") }
        guard (0...1_000_000).contains(self.bytes) else { throw ValidationError("--bytes takes 0 to 1000000") }
    }

    func apply(to plan: inout LoadPlan) throws {
        if let inFlight = self.inFlight {
            plan.publishInFlight = inFlight
        } else {
            guard self.rate * self.duration * Double(plan.users) <= Self.mostEvents else {
                throw ValidationError("more than \(Int(Self.mostEvents)) events in one run")
            }
            plan.rate = self.rate
        }
        plan.publishers = self.publishers
        plan.padding = self.bytes
        plan.settle = LoadFlags.microseconds(self.settle)
    }
}
