import Metrics

/// Counts stored documents that are not read: those of an unknown format by themselves, as a version is wrong there and not
/// a document (SPEC ND-6).
struct DocumentRefusals: Sendable {
    private let malformed: Counter
    private let unknownFormat: Counter

    /// - Parameter kind: what one document is, e.g. `route`.
    init(collection: String, kind: String) {
        self.malformed = Counter(label: "submergence_store_malformed_total", dimensions: [("collection", collection)])
        self.unknownFormat = Counter(label: "submergence_unknown_format_total", dimensions: [("kind", kind)])
    }

    func count(_ error: DocumentError) {
        (error.isUnknownFormat ? self.unknownFormat : self.malformed).increment()
    }
}
