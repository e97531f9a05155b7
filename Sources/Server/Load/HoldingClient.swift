/// Is there, and answers heartbeats.
final class HoldingClient: LoadClient {
    init(loop: LoadLoop, index: Int) {
        super.init(loop: loop, index: index, user: "\(loop.plan.userPrefix)-\(index)")
    }
}
