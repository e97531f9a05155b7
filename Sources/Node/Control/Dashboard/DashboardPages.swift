internal import HTTPTypes
internal import Hummingbird
internal import NIOCore

/// The pages of the dashboard, from `Client/dashboard`: part of the binary, under a policy that takes nothing from elsewhere.
struct DashboardPages: Sendable {
    static let prefix = "/dashboard/"

    /// Why somebody is not let in, in words for the sign-in page.
    enum Complaint: Sendable, Equatable {
        case none
        /// No key of this cluster, or one that is no more.
        case wrongKey
        case foreign
        /// Seconds to wait.
        case tooMany(Int)
        /// The node has no control keys: nobody can sign in.
        case noKeys

        var text: String {
            switch self {
            case .none: ""
            case .wrongKey:
                "That is not a control key of this cluster. Keys start with smk_, and revoked ones are refused."
            case .foreign: "The form did not come from this page. Open the dashboard again and sign in there."
            case .tooMany(let seconds): "Too many wrong keys from your address. Wait \(seconds) seconds and try again."
            case .noKeys:
                "This node has no control keys. Make one with “submergence keys create” and start with --control-keys."
            }
        }
    }

    private static let mark = "<!-- complaint -->"

    private let app: StaticPages
    private let shared: StaticPages
    private let signIn: (head: String, tail: String)

    init() {
        self.app = StaticPages(
            prefix: Self.prefix,
            files: [
                "index.html": PackageResources.dashboard_html, "dashboard.js": PackageResources.dashboard_js,
                "charts.js": PackageResources.charts_js, "people.js": PackageResources.people_js,
            ], referrer: "same-origin")
        self.shared = StaticPages(
            prefix: Self.prefix, files: ["dashboard.css": PackageResources.dashboard_css], referrer: "same-origin")
        let page = String(decoding: PackageResources.signin_html, as: UTF8.self)
        guard let place = page.firstRange(of: Self.mark) else { preconditionFailure("the sign-in page has its mark") }
        self.signIn = (String(page[..<place.lowerBound]), String(page[place.upperBound...]))
    }

    /// - Parameter isSignedIn: else only what the sign-in page needs is there.
    func response(_ method: HTTPRequest.Method, _ path: String, _ headers: HTTPRequest, isSignedIn: Bool) -> Response? {
        if let response = self.shared.response(method, path, headers) { return response }
        if isSignedIn || path + "/" == Self.prefix { return self.app.response(method, path, headers) }
        guard path == Self.prefix, method == .get || method == .head else { return nil }
        return self.signInPage(.none, status: .ok, hasBody: method == .get)
    }

    func signInPage(_ complaint: Complaint, status: HTTPResponse.Status, hasBody: Bool = true) -> Response {
        // All of these texts are ours, and have nothing that HTML would take for markup.
        let text = complaint == .none ? "" : "<p class=\"complaint\" role=\"alert\">\(complaint.text)</p>"
        var fields = StaticPages.guarded(referrer: "same-origin")
        fields[.cacheControl] = "no-store"
        fields[.contentType] = "text/html; charset=utf-8"
        let body = ByteBuffer(string: self.signIn.head + text + self.signIn.tail)
        guard hasBody else {
            fields[.contentLength] = String(body.readableBytes)
            return Response(status: status, headers: fields)
        }
        return Response(status: status, headers: fields, body: ResponseBody(byteBuffer: body))
    }
}
