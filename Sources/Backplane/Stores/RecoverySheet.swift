import Routing
import Wire

/// Entries that share a document of the recovery log. A capped collection takes documents one at a time, and each costs the
/// server a record, an oplog entry and two index entries: events that wait for the log together share them.
struct RecoverySheet {
    /// A reader is sent its own entries only, but the server looks through all of a sheet.
    private static let entryLimit = 64
    /// Bytes of packets.
    private static let byteLimit = 64 << 10

    /// At least one; of one stream, and all of them holes or none. A broadcast has its sheet for itself.
    let entries: ArraySlice<RecoveryEntry>

    /// In the order of the entries, which may be of several streams.
    static func sheets(of entries: ArraySlice<RecoveryEntry>) -> [RecoverySheet] {
        var sheets: [RecoverySheet] = []
        var start = entries.startIndex
        while start < entries.endIndex {
            let first = entries[start]
            var end = start + 1
            var bytes = first.byteCount
            while end < entries.endIndex, end - start < self.entryLimit, self.takes(entries[end], behind: first) {
                bytes += entries[end].byteCount
                if bytes > self.byteLimit { break }
                end += 1
            }
            sheets.append(RecoverySheet(entries: entries[start..<end]))
            start = end
        }
        return sheets
    }

    private static func takes(_ entry: RecoveryEntry, behind first: RecoveryEntry) -> Bool {
        entry.mark.stream == first.mark.stream && entry.mark.stream.kind == .identity
            && (entry.content == .hole) == (first.content == .hole)
    }

    var stream: RecoveryStream { self.first.mark.stream }
    /// Each once, where entries of a key follow each other.
    var keys: [RouteKey?] {
        var keys: [RouteKey?] = []
        for entry in self.entries where keys.last != .some(entry.key) { keys.append(entry.key) }
        return keys
    }
    // The highest of each: a reader asks for what is above some value, and looks at the entries itself.
    var number: Int64 { self.entries.reduce(0) { max($0, $1.mark.number) } }
    var version: Int64 { self.entries.reduce(.min) { max($0, $1.version) } }
    var time: Int64 { self.entries.reduce(.min) { max($0, $1.time) } }
    var target: RoomTarget { self.first.target }

    private var first: RecoveryEntry { self.entries[self.entries.startIndex] }
}
