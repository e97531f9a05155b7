// swift-tools-version:6.2
import PackageDescription

/// The rules of the product's package.
let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .unsafeFlags(["-warnings-as-errors"]),
]

let core = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let posix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let locks = Target.Dependency.product(name: "NIOConcurrencyHelpers", package: "swift-nio")
let collections = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let ordered = Target.Dependency.product(name: "OrderedCollections", package: "swift-collections")
let metrics = Target.Dependency.product(name: "Metrics", package: "swift-metrics")

/// A package of its own, so that the product does not carry what only benchmarks need. `Sources/Wire`, `Sources/Routing`
/// and `Sources/CZlib` are links to the product's sources: `package` symbols are not visible from another package.
let package = Package(
    name: "Benchmarks",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
    ],
    targets: [
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .target(name: "Wire", dependencies: ["CZlib", core], swiftSettings: settings),
        .target(
            name: "Routing", dependencies: ["Wire", core, locks, collections, ordered, metrics], swiftSettings: settings),
        .target(name: "CCounters"),
        .executableTarget(
            name: "Micro",
            dependencies: ["Wire", "Routing", "CCounters", core, .product(name: "NIOEmbedded", package: "swift-nio")],
            swiftSettings: settings),
        .executableTarget(name: "BareEcho", dependencies: [core, posix], swiftSettings: settings),
    ]
)
