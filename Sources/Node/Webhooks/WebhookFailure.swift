/// Why a webhook has not answered, or not with anything that could be used.
enum WebhookFailure: Error, Sendable, Equatable {
    /// As many wait as may.
    case full
    /// The target has failed too often; milliseconds of the breaker's clock.
    case open(until: Int64)
    case timeout
    /// Our side has given up.
    case cancelled
    /// The target's address cannot be found, or may not be asked.
    case address(String)
    /// There is no usable secret.
    case secret
    case transport(String)
    case status(Int)
    /// Beyond ``WebhookOptions/maxAnswerLength``.
    case length
    /// What answered is no reply document.
    case malformed(String)

    /// The label `result` of metrics.
    var label: String {
        switch self {
        case .full: "full"
        case .open: "open"
        case .timeout: "timeout"
        case .cancelled: "cancelled"
        case .address: "address"
        case .secret: "secret"
        case .transport: "transport"
        case .status: "status"
        case .length: "length"
        case .malformed: "malformed"
        }
    }

    static let labels = [
        "ok", "full", "open", "timeout", "cancelled", "address", "secret", "transport", "status", "length", "malformed",
    ]

    /// What it says about the target.
    var ending: TargetBreaker.Ending {
        switch self {
        case .timeout, .transport, .address: .failed
        case .status(let status): status >= 500 || status == 429 ? .failed : .succeeded
        // It answers, if not well.
        case .length, .malformed: .succeeded
        case .full, .open, .cancelled, .secret: .abandoned
        }
    }
}

extension WebhookFailure: CustomStringConvertible {
    var description: String {
        switch self {
        case .full: "too many requests wait for the target"
        case .open: "the target has failed too often and is left alone for a while"
        case .timeout: "the target has not answered in time"
        case .cancelled: "it was given up"
        case .address(let why): why
        case .secret: "there is no secret to sign by"
        case .transport(let why): "the target cannot be reached: \(why)"
        case .status(let status): "the target answers \(status)"
        case .length: "the answer is too long"
        case .malformed(let why): "the answer is no reply document: \(why)"
        }
    }
}
