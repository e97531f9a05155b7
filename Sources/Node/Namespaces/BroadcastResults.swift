import Foundation
import NIOCore
import NIOFoundationCompat
import Routing
import Wire

/// What is known of a broadcast once every node's inbox has it.
public struct BroadcastReceipt: Sendable, Equatable, Codable {
    /// Sockets on this node.
    public let local: Int
    /// Other nodes that have it in their inbox, whether they have such sockets or not.
    public let nodes: Int
    /// False when the nodes could not be read, or an inbox not be written.
    public let isComplete: Bool

    init(_ receipt: RoomReceipt) {
        self.local = receipt.local
        self.nodes = receipt.nodes
        self.isComplete = receipt.isComplete
    }
}

/// What sockets or nodes answered, as far as it came in time: never an error in place of what is there (SOCKETIO §13).
public struct BroadcastReplies: Sendable {
    /// In the order of their arrival.
    public let responses: [AckResponse]
    /// Names, or ids, of the nodes that did not say everything in time.
    public let silentNodes: [String]
    /// Names, or ids, of the nodes that left or died meanwhile, or could not be reached.
    public let departedNodes: [String]
    /// Sockets that did not answer in time.
    public let missing: Int
    /// Sockets that left before they answered.
    public let disconnected: Int

    /// Everybody has answered.
    public var isComplete: Bool { self.silentNodes.isEmpty && self.departedNodes.isEmpty && self.missing == 0 }

    var isTimedOut: Bool { self.missing > 0 || !self.silentNodes.isEmpty }

    init(_ replies: ClusterReplies, names: ([NodeID]) -> [String]) {
        self.responses = replies.items.map(AckResponse.init)
        self.silentNodes = names(replies.silent)
        self.departedNodes = names(replies.departed)
        self.missing = replies.missing + replies.dropped
        self.disconnected = replies.withoutAnswer
    }
}

/// The sockets of all nodes that answered in time.
public struct FetchedSockets: Sendable {
    public let sockets: [RemoteSocket]
    /// Names, or ids, of the nodes that did not say everything in time.
    public let silentNodes: [String]
    /// Names, or ids, of the nodes that left or died meanwhile, or could not be reached.
    public let departedNodes: [String]

    public var isComplete: Bool { self.silentNodes.isEmpty && self.departedNodes.isEmpty }

    init(_ replies: ClusterReplies, in namespace: Broadcast, names: ([NodeID]) -> [String]) throws {
        self.sockets = try replies.items.map { item in
            RemoteSocket(
                try JSONDecoder().decode(SocketDescription.self, from: Data(buffer: item.text)), in: namespace)
        }
        self.silentNodes = names(replies.silent)
        self.departedNodes = names(replies.departed)
    }
}
