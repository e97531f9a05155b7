internal import Synchronization

extension Station {
    /// Registers the pages of every action that has none of its own, and of errors; the last ones registered count
    /// (SPEC AC-9).
    public func templates(_ templates: Templates) {
        self.registrations.withLock { registrations in
            precondition(!registrations.isFrozen, "register templates before the station runs")
            registrations.templates = templates
        }
    }
}
