/// A rule that an input has broken.
package struct Finding: Error, CustomStringConvertible, Equatable {
    package let description: String

    /// Ends the run of a target unless `holds`.
    static func check(_ holds: Bool, _ rule: @autoclosure () -> String) throws(Finding) {
        if !holds { throw Finding(description: rule()) }
    }
}
