// swift-tools-version:6.2
import PackageDescription

/// One set of rules for every target (docs/architecture.md, "House rules"): a warning is an error everywhere.
let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]

let nio = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let posix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let metrics = Target.Dependency.product(name: "Metrics", package: "swift-metrics")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let signals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let collections = Target.Dependency.product(name: "DequeModule", package: "swift-collections")

let package = Package(
    name: "submergence",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "Node", targets: ["Node"]),
        .executable(name: "submergence", targets: ["Server"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.34.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0", traits: []),
        .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.0"),
        .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
    ],
    targets: [
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .target(name: "Wire", dependencies: ["CZlib", nio], swiftSettings: settings),
        .target(name: "Routing", dependencies: ["Wire", nio, collections, metrics], swiftSettings: settings),
        .systemLibrary(
            name: "CMongo", pkgConfig: "libmongoc-1.0", providers: [.apt(["libmongoc-dev", "libbson-dev"])]),
        .target(
            name: "Backplane",
            dependencies: ["Routing", "Wire", "CMongo", nio, posix, logging, metrics, lifecycle, collections],
            swiftSettings: settings),
        .target(
            name: "Node",
            dependencies: [
                "Backplane", "Routing", "Wire", nio, posix, logging, metrics, lifecycle, signals, collections,
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "JWTKit", package: "jwt-kit"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "Mustache", package: "swift-mustache"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOFoundationCompat", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ],
            resources: [
                .embedInCode("HTTP/DemoPages"), .embedInCode("HTTP/ClientModule"),
                .embedInCode("Control/Dashboard/Pages"),
            ],
            swiftSettings: settings),
        .executableTarget(
            name: "Server",
            dependencies: [
                "Node", "Wire", nio, posix, logging, metrics, lifecycle, signals, collections,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: settings),
        .executableTarget(
            name: "Hello", dependencies: ["Node"], path: "Examples/Hello", swiftSettings: settings),
        .executableTarget(
            name: "Chat", dependencies: ["Node"], path: "Examples/Chat", swiftSettings: settings),
        .executableTarget(
            name: "Postboard",
            dependencies: [
                "Node", posix, metrics,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
            ],
            path: "Examples/Postboard", exclude: ["README.md"], resources: [.embedInCode("Pages")],
            swiftSettings: settings),
        .executableTarget(
            name: "Duet",
            dependencies: [
                "Node", metrics, .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Examples/Duet", swiftSettings: settings),
        // Attacked by the end-to-end tests.
        .executableTarget(
            name: "Bank", dependencies: ["Node", metrics], path: "Tests/Bank", swiftSettings: settings),
        // What the end-to-end tests of actions run against.
        .executableTarget(
            name: "ActionsApplication", dependencies: ["Node", nio, logging, metrics],
            path: "Tests/Applications/Actions",
            swiftSettings: settings),
        // The same for Links.
        .executableTarget(
            name: "LinksApplication", dependencies: ["Node", logging, metrics], path: "Tests/Applications/Links",
            swiftSettings: settings),
        .testTarget(
            name: "ClusterTests",
            dependencies: [
                "Wire", "Routing", "Backplane", "Node", "Server", "Postboard",
                .product(name: "NIOEmbedded", package: "swift-nio"), posix, logging, metrics, lifecycle,
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "JWTKit", package: "jwt-kit"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            exclude: ["EndToEnd"],
            swiftSettings: settings),
    ]
)
