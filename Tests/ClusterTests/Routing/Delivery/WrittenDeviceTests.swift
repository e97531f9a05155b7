import NIOCore
import Testing

@testable import Routing
@testable import Wire

/// SPEC EV-2: how nodes tell each other what they have written.
@Suite struct WrittenDeviceTests {
    @Test("There and back", arguments: ["phone", "", "ünïcödé"])
    func roundTrip(client: String) {
        let device = WrittenDevice(client: client, written: 3, pending: 70_000)
        #expect(WrittenDevice(device.item) == device)
    }

    @Test("What is no such report is refused, whatever it is")
    func malformed() {
        let whole = WrittenDevice(client: "c", written: 1, pending: 2).item.text
        for length in 0..<9 {
            let part = RoomReply.Item(text: whole.getSlice(at: 0, length: length) ?? ByteBuffer())
            #expect(WrittenDevice(part) == nil)
        }
        var newer = whole
        newer.setInteger(2 as UInt8, at: 0)
        #expect(WrittenDevice(RoomReply.Item(text: newer)) == nil)
        var text = whole
        text.writeInteger(0xFF as UInt8)
        #expect(WrittenDevice(RoomReply.Item(text: text)) == nil)
    }

    @Test("An event that nobody asks about says nothing of it, and other kinds never do")
    func sources() {
        func message(_ kind: BusMessage.Kind, _ source: String) -> BusMessage {
            BusMessage(kind: kind, key: "d/u", payload: ByteBuffer(), source: source)
        }
        #expect(EventConfirmation.request(of: message(.event, EventConfirmation.source(.max))) == .max)
        #expect(EventConfirmation.request(of: message(.event, "")) == nil)
        #expect(EventConfirmation.request(of: message(.event, "confirm:")) == nil)
        #expect(EventConfirmation.request(of: message(.event, "confirm:-1")) == nil)
        #expect(EventConfirmation.request(of: message(.kick, EventConfirmation.source(1))) == nil)
    }
}
