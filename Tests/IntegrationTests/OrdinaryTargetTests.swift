import Foundation
import Glibc
import Reports
import Testing

private func isThere(_ program: String) -> Bool {
    ["/usr/sbin", "/usr/bin", "/usr/lib/postgresql/15/bin"].contains { access("\($0)/\(program)", X_OK) == 0 }
}

/// Nothing in the gate knows EXO: graceful stops of ordinary programs, with a fault in each.
@Suite("Ordinary targets")
struct OrdinaryTargetTests {
    private func hold(_ names: [String]) throws {
        let directory = try Command.temporaryDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let files = names.map { "\(Command.root)/scenarios/services/\($0).yaml" }
        let command = try Command.run(["run"] + files + ["--python", Command.python], in: directory)
        #expect(command.status == 0, "\(command.output)\(command.errors)")
    }

    @Test func shellPipelines() throws { try hold(["shell-pipeline-closed-early", "shell-pipeline-interrupted"]) }

    @Test(.enabled(if: isThere("nginx") && isThere("curl"), "nginx or curl is not installed"))
    func nginx() throws { try hold(["nginx-slow-body", "nginx-killed-worker", "nginx-failing-log"]) }

    @Test(.enabled(if: isThere("postgres"), "PostgreSQL 15 is not installed"))
    func postgresql() throws {
        try hold([
            "postgresql-slow-checkpoint", "postgresql-failed-wal-sync", "postgresql-full-disk",
            "postgresql-killed-backend",
        ])
    }

    /// The filter is loaded without `no_new_privs` where we may, so that `sudo` and its like keep working in a target.
    @Test(.enabled(if: geteuid() == 0, "only root can make a program setuid root"))
    func setuidProgramsKeepWorking() throws {
        let directory = try Command.temporaryDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let program = "\(directory)/id"
        try FileManager.default.copyItem(atPath: "/usr/bin/id", toPath: program)
        try FileManager.default.setAttributes([.posixPermissions: 0o4755], ofItemAtPath: program)
        chmod(directory, 0o755)
        try """
        topology:
          processes:
            - {role: a, command: [setpriv, --reuid=65534, --regid=65534, --clear-groups, "\(program)", -u]}
        steps: [{start: {}}, {wait: {exit: a}}]
        points: {asks: {roles: a, call: geteuid}}
        expect: {forbid: {root again: "^0$"}}
        """.write(toFile: "\(directory)/s.yaml", atomically: true, encoding: .utf8)
        let command = try Command.run(["run", "s.yaml", "--format", "json"], in: directory)
        let summary = try JSONDecoder().decode(RunSummary.self, from: Data(command.output.utf8))
        #expect(summary.findings.map(\.signature) == ["root again"], "\(summary)")
    }
}
