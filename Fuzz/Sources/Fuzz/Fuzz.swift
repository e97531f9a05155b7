import CFuzzer
import Foundation
import Targets

/// libFuzzer on one target, which the environment names: `FUZZ_TARGET=json Fuzz CORPUS...`. An environment variable,
/// because libFuzzer starts itself again with its own arguments when it minimises or merges.
@main
enum Fuzz {
    private static let target = ProcessInfo.processInfo.environment["FUZZ_TARGET"].flatMap(FuzzTarget.init(rawValue:))

    static func main() {
        guard self.target != nil else {
            print("FUZZ_TARGET is one of:", FuzzTarget.allCases.map(\.rawValue).joined(separator: " "))
            exit(2)
        }
        var count = CommandLine.argc
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
        exit(LLVMFuzzerRunDriver(&count, &arguments) { bytes, count in Fuzz.run(bytes, count) })
    }

    private static func run(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
        do { try self.target?.run(UnsafeRawBufferPointer(start: bytes, count: count)) } catch {
            fatalError(error.description)
        }
        return 0
    }
}
