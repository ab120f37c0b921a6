import Checkers
import Foundation
import Reports
import Testing

/// What a deployer does when a call that changes nothing fails, or a record for people only cannot be written: each is made to fail
/// by Fracas itself, in a trial with a deployed tree of its own.
@Suite("Deployers whose calls fail", .serialized)
struct DeploymentCallFaultTests {
    /// Runs a command on the tree with a fault, then looks.
    /// - Parameters:
    ///   - faults: what happens at which calls.
    ///   - looks: a shell's commands; `$1` is fracas, `$out` what the command printed, `code` its exit code; what is not as it should be
    ///     is told by `complain`.
    private func run(_ command: String, faults: [String], looks: String) throws {
        let text = """
            summary: \(command), with a call that fails.
            topology:
              file: \(Command.root)/scenarios/deployments/topologies/deployment.yaml
              with:
                command: \"\(command) >/tmp/sums/out 2>&1\"
            steps:
              - start: {roles: prepare}
              - start: {roles: deployer, ready: false}
                name: faulty
              - wait: {exit: deployer}
                within: 40s
              - run:
                  command:
                    - sh
                    - -c
                    - |
                      complain() { echo "wrong: $*: $(cat /tmp/sums/out)"; }
                      has() { grep -q -e "$1" /tmp/sums/out || complain "not said: $1"; }
                      sum() { "\(Command.root)/scenarios/deployments/sum.sh" /tmp/tree; }
            \(looks.split(separator: "\n").map { "          \($0)" }.joined(separator: "\n"))
                      "$1" service stop --force --tree /tmp/tree >/dev/null || complain "the service does not stop"
                      rm -rf /tmp/tree /tmp/sums
                    - sh
                    - ${fracas}
                name: look
                within: 40s
            faults:
            \(faults.map { "  - \($0)" }.joined(separator: "\n"))
            """
        let program = URL(fileURLWithPath: Command.program).resolvingSymlinksInPath().path
        let (command, summary) = try Command.run(
            scenario: text, ["--trials", "1", "--set", "fracas=\(program)"])
        #expect(summary.verdict == .held, "\(command.output)\(command.errors)")
    }

    /// A directory that can be read in part only must not be taken for all there is: the call that would have said that it is the
    /// end fails. (What looks at the disk before has read it once, with two calls.)
    @Test func aDirectoryThatCannotBeRead() throws {
        try run(
            "deploy --backup-only",
            faults: ["{errno: EIO, at: {roles: deployer, call: getdents64, path: /tmp/tree/src/exo, nth: 4}}"],
            looks: """
                has "fracas: read the directory '/tmp/tree/src/exo': "
                [ -z "$(ls -A /tmp/tree/deployment/backups)" ] || complain "there is a backup"
                [ "$(sum)" = "$(cat /tmp/sums/old)" ] || complain "the tree is changed"
                """)
    }

    /// A name that was listed and is gone when it is looked at.
    @Test func aNameThatVanishes() throws {
        try run(
            "deploy",
            faults: [
                "{errno: ENOENT, at: {roles: deployer, call: newfstatat, path: /tmp/tree/src/exo/api.py, nth: 1}}"
            ],
            looks: """
                has "'/tmp/tree/src/exo/api.py' went away while the tree was read: stop who changes it, then try again"
                [ "$(sum)" = "$(cat /tmp/sums/old)" ] || complain "the tree is changed"
                [ ! -e /tmp/tree/deployment/.journal ] || complain "it is not settled"
                """)
    }

    /// What was written is not what was meant to be: reading a backup back finds it, and without that it is found when it is needed.
    @Test(arguments: [true, false])
    func aBackupThatIsWrittenDifferently(isVerified: Bool) throws {
        let looks =
            isVerified
            ? """
            has "is damaged: 'files/src/exo/api.py' is not what was written"
            [ -z "$(ls /tmp/tree/deployment/backups)" ] || complain "there is a backup"
            """
            : """
            has "deploy: succeeded"
            "$1" backups --tree /tmp/tree >/tmp/sums/out && complain "it is taken for good"
            has "DAMAGED .*files/src/exo/api.py"
            """
        try run(
            "deploy --backup-only --set BACKUP_VERIFICATION=\(isVerified)",
            faults: [
                "{poke: {argument: 1, text: XXXX}, at: {roles: deployer, call: write, path: \"/tmp/tree/deployment/backups/*/api.py\"}}"
            ], looks: looks)
    }

    /// What was deployed is written down for people only.
    @Test func theRecordOfWhatWasDeployed() throws {
        try run(
            "deploy",
            faults: ["{errno: ENOSPC, at: {roles: deployer, call: openat, path: /tmp/tree/deployment/.state.new}}"],
            looks: """
                has "not written down: write '/tmp/tree/deployment/.state': "
                has "deploy: succeeded, release in the tree: new"
                [ "$(sum)" = "$(cat /tmp/sums/new)" ] || complain "the tree is not the new release"
                [ ! -e /tmp/tree/deployment/.journal ] || complain "it is not settled"
                "$1" deploy --tree /tmp/tree >/tmp/sums/out 2>&1 || complain "not deployed again"
                [ -s /tmp/tree/deployment/.state ] || complain "not written down by the next one either"
                """)
    }

    /// Whoever waits for the service's end, and cannot watch a process, gives up when the time is over.
    @Test func theEndThatCannotBeWaitedFor() throws {
        try run(
            "service stop --set SERVICE_STOP_TIMEOUT=1",
            faults: [
                // The service never gets its signal, and the first look at it is the only one.
                "{return: 0, at: {roles: deployer, call: pidfd_send_signal, times: all}}",
                "{errno: EMFILE, at: {roles: deployer, call: pidfd_open, nth: 2, times: all}}",
            ],
            looks: """
                has "did not stop by SIGTERM within its time (processes [0-9]*)"
                "$1" service status --tree /tmp/tree >/tmp/sums/out || complain "the service does not run any more"
                """)
    }

    /// A service that could not be asked to stop is not said to have ignored it.
    @Test func theSignalThatCannotBeSent() throws {
        try run(
            "service stop --set SERVICE_STOP_TIMEOUT=1",
            faults: ["{errno: EMFILE, at: {roles: deployer, call: pidfd_open, times: all}}"],
            looks: """
                has "signal 15 to process [0-9]*: Too many open files"
                "$1" service status --tree /tmp/tree >/tmp/sums/out || complain "the service does not run any more"
                """)
    }
}
