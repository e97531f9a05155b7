/// The most that one operation may allocate and retain.
struct Threshold: Codable {
    var name: String
    var allocations: Double
    var retains: Double
}
