import Foundation
import Glibc
import Testing

import Deployments

/// This process listens, and is the service or not.
@Suite("Whether the service answers")
struct AnswererTests {
    private let socket: Int32
    private let port: Int
    private let root: String

    init() throws {
        root = try scratchDirectory()
        socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let (socket, size) = (socket, length)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket, $0, size) + listen(socket, 5) + getsockname(socket, $0, &length)
            }
        }
        try #require(result == 0)
        port = Int(UInt16(bigEndian: address.sin_port))
    }

    private func tree(_ more: String = "", listening: Bool = true) throws -> DeploymentTree {
        let config = "\(root)/deployment/config"
        try FileManager.default.createDirectory(atPath: config, withIntermediateDirectories: true)
        try "SERVICE_NAME=a\nAPI_PORT=\(listening ? port : 1)\n\(more)".write(
            toFile: "\(config)/deployment.conf", atomically: true, encoding: .utf8)
        return try DeploymentTree(root, environment: [:], overrides: [])
    }

    private func trouble(
        _ tree: DeploymentTree, of pids: [Int32] = [getpid()], since: UInt64? = nil
    ) -> String? {
        Answerer(tree: tree, since: since).trouble(ServiceState(main: pids.first, processes: pids))
    }

    private func end() {
        close(socket)
        try? FileManager.default.removeItem(atPath: root)
    }

    @Test func theListenerMustBeOfTheService() throws {
        defer { end() }
        // Another process, which is there for as long as we are.
        let stranger = try #require(trouble(try tree(), of: [getppid()]))
        #expect(stranger.contains("is not the service, but process \(getpid()) ("), "\(stranger)")
        #expect(trouble(try tree("HEALTH_OWNER=any\n"), of: [getppid()]) == nil)
        let nobody = try #require(trouble(try tree(listening: false)))
        #expect(nobody.contains("no process of this machine listens there"), "\(nobody)")
    }

    @Test func theReleaseMustBeThatOfTheTree() throws {
        defer { end() }
        let elsewhere = try #require(trouble(try tree()))
        #expect(elsewhere.contains("shows no sign of being of the tree"), "\(elsewhere)")
        // It says its version itself, which is asked for elsewhere.
        let saying = "VERSION_ENDPOINT=/version\nVERSION_FILE=version\n"
        #expect(trouble(try tree(saying)) == nil)
        // What has started before the exchange is the old release's whatever it says.
        let old = try #require(trouble(try tree(saying), since: Processes.now() + 100))
        #expect(old.contains("is older than the release in the tree: process \(getpid()) ("), "\(old)")
        #expect(trouble(try tree(saying), since: 1) == nil)
    }

    @Test func descendants() {
        func row(_ parent: Int32, _ hasEnded: Bool = false) -> Processes.Row {
            Processes.Row(parent: parent, session: 1, ticks: 1, hasEnded: hasEnded)
        }
        let table: [Int32: Processes.Row] = [
            1: row(0), 10: row(1), 11: row(10), 12: row(11), 13: row(11, true), 20: row(1), 21: row(20),
            // Numbers used anew while the table was read.
            30: row(31), 31: row(30),
        ]
        #expect(Processes.descendants(of: [10], in: table) == [11, 12])
        #expect(Processes.descendants(of: [11, 20], in: table) == [12, 21])
        #expect(Processes.descendants(of: [12], in: table).isEmpty)
        #expect(Processes.descendants(of: [99], in: table).isEmpty)
    }
}
