import Deployments
import Foundation
import Testing

/// A copy of the fixture with its old release in `src`, the new one in `releases/fixed`, and the deployment kit, as an operator
/// would have it. What is done with it is done through the kit's scripts.
final class DeployedTree {
    static let fixture = "\(Command.root)/fixtures/exo"
    let directory: String
    let root: String
    var deployment: String { "\(root)/deployment" }

    /// Makes one, with settings for its `local.conf`.
    init(_ settings: [String: String] = [:]) throws {
        directory = try Command.temporaryDirectory()
        root = "\(directory)/tree"
        let manager = FileManager.default
        try manager.createDirectory(atPath: "\(root)/releases", withIntermediateDirectories: true)
        try manager.copyItem(atPath: "\(Self.fixture)/src", toPath: "\(root)/src")
        try Self.lay("\(Self.fixture)/releases/before/src", over: "\(root)/src")
        try manager.copyItem(atPath: "\(Self.fixture)/releases/fixed", toPath: "\(root)/releases/fixed")
        let kit = try Command.run(["kit", "install", root], in: directory)
        try #require(kit.status == 0, "\(kit.errors)")
        var all = [
            "PYTHON": Command.python, "API_PORT": "\(try Self.freePort())", "SERVICE_MANAGER": "supervisor",
            "HEALTH_CHECK_INTERVAL": "0.1", "HEALTH_CHECK_RETRIES": "300", "SERVICE_STOP_TIMEOUT": "1",
            "HEALTH_SOAK": "0",
        ]
        all.merge(settings) { _, given in given }
        let lines = all.sorted { $0.key < $1.key }.map { "\($0.key)=\"\($0.value)\"" }
        try lines.joined(separator: "\n").write(
            toFile: "\(deployment)/config/local.conf", atomically: true, encoding: .utf8)
    }

    /// Ends the service and removes everything.
    func remove() {
        _ = try? Command.run(["service", "stop", "--force", "--tree", root], in: directory)
        try? FileManager.default.removeItem(atPath: directory)
    }

    private static func lay(_ from: String, over to: String) throws {
        for name in FileManager.default.enumerator(atPath: from)?.compactMap({ $0 as? String }) ?? [] {
            guard let text = FileManager.default.contents(atPath: "\(from)/\(name)"),
                (try? FileManager.default.contentsOfDirectory(atPath: "\(from)/\(name)")) == nil
            else { continue }
            try FileManager.default.createDirectory(
                atPath: URL(fileURLWithPath: "\(to)/\(name)").deletingLastPathComponent().path,
                withIntermediateDirectories: true)
            try text.write(to: URL(fileURLWithPath: "\(to)/\(name)"))
        }
    }

    private static func freePort() throws -> UInt16 {
        let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(socket) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket, $0, length) + getsockname(socket, $0, &length)
            }
        }
        try #require(result == 0)
        return UInt16(bigEndian: address.sin_port)
    }

    // MARK: what an operator does

    static let deploy = "deploy-race-condition-fix.sh"
    static let rollback = "rollback-race-condition-fix.sh"
    static let validate = "monitoring/validate-deployment.sh"

    /// A script that is not waited for; its standard error comes with its output, or is left out.
    func begin(
        _ script: String, _ arguments: [String] = [], _ environment: [String: String] = [:], errors: Bool = true
    ) throws -> (
        Process, output: FileHandle
    ) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "\(deployment)/\(script)")
        process.arguments = arguments
        process.currentDirectoryURL = URL(fileURLWithPath: root)
        process.environment = ProcessInfo.processInfo.environment.merging(["FRACAS": Command.program]) { $1 }
            .merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = errors ? pipe : FileHandle.nullDevice
        try process.run()
        return (process, pipe.fileHandleForReading)
    }

    /// Runs a script to its end.
    /// - Returns: its exit code, and what it printed on both streams.
    func run(_ script: String, _ arguments: [String] = [], _ environment: [String: String] = [:]) throws -> (
        status: Int32, text: String
    ) {
        let (process, output) = try begin(script, arguments, environment)
        let text = String(decoding: output.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return (process.terminationStatus, text)
    }

    /// Runs a script to its end.
    /// - Returns: its exit code, and the JSON object that it printed.
    func json(
        _ script: String, _ arguments: [String] = [], _ environment: [String: String] = [:]
    ) throws -> (status: Int32, object: [String: Any]) {
        let (process, output) = try begin(script, arguments + ["--format", "json"], environment, errors: false)
        let data = output.readDataToEndOfFile()
        process.waitUntilExit()
        let object = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        return (process.terminationStatus, object)
    }

    /// Runs `fracas` itself on the tree.
    func fracas(_ arguments: String...) throws -> Command {
        try Command.run(arguments + ["--tree", root], in: directory)
    }

    /// Starts the service and requires that it serves.
    func start() throws {
        let command = try fracas("service", "start")
        try #require(command.status == 0, "\(command.errors)")
    }

    // MARK: what it looks like

    /// What `src` is, by a hash of our own over path, permissions and content.
    func hash() throws -> String { try TreeHash.of("\(root)/src") }

    /// Whether the service answers `/health` with 200, and is the one of this tree.
    func serves() throws -> Bool {
        let status = try fracas("service", "status")
        let validation = try run(Self.validate, ["--format", "json"])
        return status.status == 0 && validation.text.contains("\"/health answered 200\"")
    }

    /// The names in one of the kit's directories.
    func names(_ directory: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: "\(deployment)/\(directory)")) ?? []).sorted()
    }

    func mode(_ name: String) throws -> Int {
        try FileManager.default.attributesOfItem(atPath: "\(deployment)/\(name)")[.posixPermissions] as? Int ?? 0
    }

    /// The two releases' hashes, from the fixture itself.
    static func releases() throws -> (old: String, new: String) {
        let directory = try Command.temporaryDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        var hashes: [String] = []
        for release in ["before", "fixed"] {
            let path = "\(directory)/\(release)"
            try FileManager.default.copyItem(atPath: "\(fixture)/src", toPath: path)
            try lay("\(fixture)/releases/\(release)/src", over: path)
            hashes.append(try TreeHash.of(path))
        }
        return (hashes[0], hashes[1])
    }
}

extension DeployedTree {
    /// Something that must fail: afterwards the tree is what it was and serves, and every backup that was there is what it was, byte
    /// for byte. There is one at least.
    /// - Parameter isUntouched: whether not even the service may have been started anew.
    func losesNothing(isUntouched: Bool = false, _ body: () throws -> Void) throws {
        if names("backups").isEmpty { try #require(try run(Self.deploy, ["--backup-only"]).status == 0) }
        let tree = try hash()
        let service = try fracas("service", "status").output
        let saved = try names("backups").map { ($0, try TreeHash.of("\(deployment)/backups/\($0)")) }
        try body()
        #expect(try hash() == tree)
        for (name, hash) in saved {
            #expect(try TreeHash.of("\(deployment)/backups/\(name)") == hash, "the backup \(name)")
        }
        if isUntouched { #expect(try fracas("service", "status").output == service) }
        #expect(try serves())
    }

    /// A deployment is held in its installation by a pipe that nobody writes to, until `body` is done.
    func whileHeld(
        _ script: String, _ arguments: [String], first: String = "",
        _ body: (Process) throws -> Void
    ) throws -> Int32 {
        let pipe = "\(root)/hold"
        try #require(mkfifo(pipe, 0o600) == 0)
        // Only once: an installation that is done again, of the old release, goes through.
        try "[ ! -e held ] || exit 0; : >held; \(first)\nexec cat hold\n".write(
            toFile: "\(root)/hold.sh", atomically: true, encoding: .utf8)
        unlink("\(root)/held")
        let (process, output) = try begin(script, arguments, ["INSTALL_COMMAND": "/bin/sh {root}/hold.sh"])
        // Opening it waits until the other one has opened it too.
        let writer = open(pipe, O_WRONLY)
        try body(process)
        close(writer)
        _ = output.readDataToEndOfFile()
        process.waitUntilExit()
        unlink(pipe)
        return process.terminationReason == .exit ? process.terminationStatus : -1
    }
}

/// A hash over a directory, written for the tests alone: it shares nothing with what it is held against.
enum TreeHash {
    static func of(_ path: String) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = [
            "-c",
            """
            cd "$1" || exit 1
            find . -name __pycache__ -prune -o -printf '%p %y %m %l\\n' | sort
            find . -name __pycache__ -prune -o -type f -print0 | sort -z | xargs -0r sha256sum
            """, "sh", path,
        ]
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
        return String(decoding: data, as: UTF8.self)
    }
}

extension FileHandle {
    /// Reads until there is enough of it, not to its end.
    func text(until isEnough: (String) -> Bool) throws -> String {
        var text = ""
        while !isEnough(text) {
            let data = availableData
            try #require(!data.isEmpty, "it ended by itself: \(text)")
            text += String(decoding: data, as: UTF8.self)
        }
        return text
    }
}
