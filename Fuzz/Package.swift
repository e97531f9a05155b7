// swift-tools-version:6.2
import PackageDescription

/// The rules of the product's package, and libFuzzer's instrumentation. Optimised, or a fuzzer is too slow to find
/// anything; with the checks of a debug build.
let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .unsafeFlags(["-warnings-as-errors", "-sanitize=fuzzer,address", "-O", "-assert-config", "Debug"]),
]

let nio = Target.Dependency.product(name: "NIOCore", package: "swift-nio")

/// A package of its own, so that the product's is built without sanitizers. `Sources/Wire`, `Sources/CZlib` and the files in
/// `Sources/Node` are links to the product's sources: `package` symbols are not visible from another package.
let package = Package(
    name: "Fuzz",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0")
    ],
    targets: [
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .target(name: "Wire", dependencies: ["CZlib", nio], swiftSettings: settings),
        .target(name: "Node", dependencies: ["Wire", nio], swiftSettings: settings),
        .systemLibrary(name: "CFuzzer"),
        .target(name: "Targets", dependencies: ["Wire", "Node", nio], swiftSettings: settings),
        .executableTarget(
            name: "Fuzz", dependencies: ["Targets", "CFuzzer"], swiftSettings: settings,
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer,address", "-use-ld=lld"])]),
    ]
)
