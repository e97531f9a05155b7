/// The stored form of a ticket for the cookies of a session that was changed over a socket (SPEC ID-17). Neither the ticket nor
/// the cookies can be told from it.
package struct TicketRecord: Sendable, Equatable {
    /// SHA-256 of the ticket, 32 bytes.
    package var id: [UInt8]
    package var domain: String
    /// The chain of the session that the socket had, 32 bytes: who redeems it has a session of that chain.
    package var chain: [UInt8]
    /// The SID of the socket.
    package var socket: String
    /// What is owed, under a key that only the ticket gives.
    package var sealed: [UInt8]
    /// When it is worth nothing any more, and when the record goes: milliseconds since 1970.
    package var expires: Int64
    /// Whether it has been redeemed.
    package var isUsed: Bool

    package init(
        id: [UInt8], domain: String, chain: [UInt8], socket: String, sealed: [UInt8], expires: Int64,
        isUsed: Bool = false
    ) {
        self.id = id
        self.domain = domain
        self.chain = chain
        self.socket = socket
        self.sealed = sealed
        self.expires = expires
        self.isUsed = isUsed
    }
}
