/// What a `multipart/form-data` body may hold (SPEC AC-5), beside its bytes: those are counted by
/// ``ActionOptions/maxBodyLength`` and ``ActionOptions/bufferFiles``. Beyond each: 413.
public struct MultipartLimits: Sendable, Hashable {
    /// Bytes of the header fields of one part. Default 8,192.
    public var headerBytes: Int
    /// Parts that are fields. Default 256.
    public var fields: Int
    /// Parts that are files. Default 32.
    public var files: Int
    /// Bytes of a field's name. Default 256.
    public var nameBytes: Int
    /// Bytes of a file's name. Default 1,024, which holds what file systems take in any encoding.
    public var filenameBytes: Int

    public init(
        headerBytes: Int = 8_192, fields: Int = 256, files: Int = 32, nameBytes: Int = 256, filenameBytes: Int = 1_024
    ) {
        self.headerBytes = headerBytes
        self.fields = fields
        self.files = files
        self.nameBytes = nameBytes
        self.filenameBytes = filenameBytes
    }

    /// What is wrong with the limits, in words; nil when nothing is.
    var complaint: String? {
        if self.headerBytes < 64 { return "the header of a part needs 64 bytes or more" }
        let others = [self.fields, self.files, self.nameBytes, self.filenameBytes]
        return others.contains { $0 < 0 } ? "a limit of multipart must not be negative" : nil
    }
}
