import Foundation

/// Why the system could not do something with a file, in few words.
enum SystemReason {
    static func of(_ error: any Error) -> String {
        switch (error as? CocoaError)?.code {
        case .fileNoSuchFile, .fileReadNoSuchFile: return "there is no such file"
        case .fileReadNoPermission: return "this user may not read it"
        default: break
        }
        let error = error as NSError
        let cause = error.userInfo[NSUnderlyingErrorKey] as? NSError ?? error
        if cause.domain == NSPOSIXErrorDomain, let code = POSIXErrorCode(rawValue: Int32(cause.code)) {
            return String(cString: strerror(code.rawValue)).lowercased()
        }
        return error.localizedDescription.trimmingCharacters(in: CharacterSet(charactersIn: "."))
    }
}
