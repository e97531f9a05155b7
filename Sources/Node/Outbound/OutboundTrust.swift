internal import AsyncHTTPClient
internal import Foundation
internal import NIOSSL

/// Whose certificates count where requests of the node's own (webhooks, key sets) go by `https`: those of authorities that
/// the system trusts, and of others that the configuration adds.
struct OutboundTrust: Sendable {
    struct Unusable: Error, Equatable, CustomStringConvertible {
        let description: String
    }

    /// Bytes of a file: the collections of whole systems have less.
    static let largest = 4 << 20
    /// No authority beside the system's.
    static let system = OutboundTrust(authorities: [])

    private let authorities: [NIOSSLCertificate]

    private init(authorities: [NIOSSLCertificate]) { self.authorities = authorities }

    /// - Parameter path: of a file with certificates, one behind the other, as PEM text.
    init(file path: String) throws(Unusable) {
        let text: Data
        do {
            let file = URL(fileURLWithPath: path).resolvingSymlinksInPath()
            let attributes = try FileManager.default.attributesOfItem(atPath: file.path)
            guard attributes[.type] as? FileAttributeType == .typeRegular,
                let size = (attributes[.size] as? NSNumber)?.intValue, size <= Self.largest
            else { throw Unusable(description: "it is no file of at most \(Self.largest >> 20) MiB") }
            text = try Data(contentsOf: file)
        } catch let error as Unusable {
            throw error
        } catch {
            let isMissing = [CocoaError.Code.fileNoSuchFile, .fileReadNoSuchFile].contains {
                $0 == (error as? CocoaError)?.code
            }
            throw Unusable(description: isMissing ? "there is no such file" : "this user may not read it")
        }
        do {
            self.init(authorities: try NIOSSLCertificate.fromPEMBytes(Array(text)))
        } catch {
            throw Unusable(description: "it holds no certificate as PEM text, or one that cannot be read")
        }
    }

    func apply(to configuration: inout HTTPClient.Configuration) {
        guard !self.authorities.isEmpty else { return }
        var settings = TLSConfiguration.makeClientConfiguration()
        settings.additionalTrustRoots = [.certificates(self.authorities)]
        configuration.tlsConfiguration = settings
    }
}

extension Configuration {
    /// - Throws: ``StartError``.
    func outboundTrust() throws(StartError) -> OutboundTrust {
        guard let path = self.outboundCA else { return .system }
        do throws(OutboundTrust.Unusable) {
            return try OutboundTrust(file: path)
        } catch {
            throw StartError(
                "cannot trust the authorities in \(path)", why: error.description,
                remedy: "Name a file of certificates that begin with -----BEGIN CERTIFICATE-----.",
                about: ["outbound-ca"])
        }
    }
}
