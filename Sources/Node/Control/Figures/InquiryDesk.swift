import NIOCore
import Synchronization

/// What other nodes may ask this one about itself. Handlers are set once the station stands.
final class InquiryDesk: Sendable {
    /// - Returns: JSON; nil where there is nothing to say.
    typealias Handler = @Sendable (_ arguments: ByteBuffer) async -> ByteBuffer?

    private let handlers = Mutex<[String: Handler]>([:])

    func set(_ topic: ClusterInquiry.Topic, _ handler: @escaping Handler) {
        self.handlers.withLock { $0[topic.rawValue] = handler }
    }

    /// - Parameter name: as another node has sent it.
    func handler(of name: String) -> Handler? { self.handlers.withLock { $0[name] } }
}
