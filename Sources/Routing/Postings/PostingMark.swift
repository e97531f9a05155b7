package import Wire

/// What a node that gets an event of the outbox needs to know so that it hands it out once (``PostingLedger``).
package struct PostingMark: Hashable, Sendable {
    package let stream: RecoveryStream
    package let number: Int64
    /// Every number below is done with: it never comes again.
    package let floor: Int64
    /// It is in the recovery log under this number.
    package var isLogged: Bool

    package init(stream: RecoveryStream, number: Int64, floor: Int64, isLogged: Bool = false) {
        self.stream = stream
        self.number = number
        self.floor = floor
        self.isLogged = isLogged
    }

    package var recoveryMark: RecoveryMark { RecoveryMark(stream: self.stream, number: self.number) }

    /// As it stands in the source of a message, see ``EventConfirmation``.
    package var text: String {
        "\(self.stream.code)-\(self.number)-\(self.floor)" + (self.isLogged ? "-l" : "")
    }

    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 3 || (parts.count == 4 && parts[3] == "l"), let code = Int64(parts[0]),
            let stream = RecoveryStream(code: code), let number = Int64(parts[1]), let floor = Int64(parts[2]),
            (1..<RecoveryMark.numberLimit).contains(number), (1...number).contains(floor)
        else { return nil }
        self.init(stream: stream, number: number, floor: floor, isLogged: parts.count == 4)
    }
}
