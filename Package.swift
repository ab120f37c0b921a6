// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]

/// What runs while a stopped call waits is not checked for overlapping access at run time: it all happens under one lock, and the
/// checks are a fifth of what Fracas itself adds to a call (docs/performance.md). Debug builds check.
let hot: [SwiftSetting] =
    strict + [.unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release))]
let hotLayers = ["Platform", "Schedules", "Topologies", "Gate", "Trials"]

let system = Target.Dependency.product(name: "SystemPackage", package: "swift-system")

/// The libraries Fracas is made of, each with what it may import: the order is the architecture (docs/ARCHITECTURE.md).
let layers: [(name: String, uses: [Target.Dependency])] = [
    ("Platform", ["CSyscall", "CSeccomp", system]),
    ("Scenarios", ["Yams"]),
    ("Evidence", ["Scenarios"]),
    ("Schedules", ["Scenarios"]),
    ("Topologies", ["Scenarios", "Evidence", "Platform", "CSyscall", system]),
    ("Gate", ["Scenarios", "Schedules", "Evidence", "Topologies", "Platform", "CSeccomp", "CSyscall", system]),
    ("Checkers", ["Scenarios", "Evidence"]),
    ("Deployments", ["Platform", "CSyscall", system, .product(name: "Crypto", package: "swift-crypto")]),
    ("Trials", ["Scenarios", "Schedules", "Evidence", "Topologies", "Gate", "Checkers", "Platform"]),
    ("Exploration", ["Scenarios", "Evidence", "Schedules", "Checkers"]),
    (
        "Reports",
        [
            "Scenarios", "Evidence", "Checkers", "Platform", system,
            .product(name: "Mustache", package: "swift-mustache"),
        ]
    ),
    ("Benchmarks", ["Scenarios", "Evidence", "Schedules", "Checkers", "Topologies", "Trials", "Platform"]),
    (
        "Certification",
        [
            "Scenarios", "Evidence", "Schedules", "Checkers", "Exploration", "Trials", "Topologies", "Reports",
            "Benchmarks", "Platform",
            "CSyscall", .product(name: "Crypto", package: "swift-crypto"),
        ]
    ),
]

let package = Package(
    name: "fracas",
    products: [
        .executable(name: "fracas", targets: ["fracas"]),
        .library(name: "fracas-warm", type: .dynamic, targets: ["CLaunch"]),
        .library(name: "fracas-clock", type: .dynamic, targets: ["CClock"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.1"),
    ],
    targets: layers.map {
        .target(
            name: $0.name, dependencies: $0.uses, swiftSettings: hotLayers.contains($0.name) ? hot : strict)
    } + [
        .executableTarget(
            name: "fracas",
            dependencies: layers.map { .target(name: $0.name) } + [
                "fracas-load", .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict),
        // In two shapes: the program, which is all that a trial executes of ours, and so static; and a library for an interpreter.
        // Neither has anything of Swift's. How they are linked goes over to what depends on them: so nothing does.
        .target(
            name: "CLaunch", cSettings: [.unsafeFlags(["-fvisibility=hidden", "-Wall", "-Wextra", "-Werror"])],
            linkerSettings: [.unsafeFlags(["-nostartfiles", "-static-stdlib"])]),
        .executableTarget(
            name: "fracas-launch", dependencies: ["CLaunch"],
            cSettings: [.unsafeFlags(["-Wall", "-Wextra", "-Werror"])],
            linkerSettings: [.unsafeFlags(["-static-executable"])]),
        .executableTarget(
            name: "fracas-load", cSettings: [.unsafeFlags(["-O2", "-Wall", "-Wextra", "-Werror"])],
            linkerSettings: [.linkedLibrary("pthread")]),
        // Preloaded into targets whose clock is changed; likewise without anything of Swift's.
        .target(
            name: "CClock", cSettings: [.unsafeFlags(["-fvisibility=hidden", "-O2", "-Wall", "-Wextra", "-Werror"])],
            linkerSettings: [.unsafeFlags(["-nostartfiles", "-static-stdlib"])]),
        .target(name: "CSyscall"),
        .systemLibrary(name: "CSeccomp", providers: [.apt(["libseccomp-dev"])]),
    ]
        + layers.filter {
            [
                "Scenarios", "Schedules", "Checkers", "Trials", "Exploration", "Reports", "Benchmarks", "Deployments",
            ].contains($0.name)
        }.map {
            .testTarget(
                name: "\($0.name)Tests", dependencies: [.target(name: $0.name)] + $0.uses, swiftSettings: strict)
        } + [
            .testTarget(
                name: "IntegrationTests",
                dependencies: [
                    "fracas", "Benchmarks", "Certification", "Platform", "Reports", "Evidence", "Topologies",
                    "Scenarios", "Checkers", "Deployments",
                ],
                swiftSettings: strict),
            .testTarget(name: "TidyTests", swiftSettings: strict),
        ]
)
