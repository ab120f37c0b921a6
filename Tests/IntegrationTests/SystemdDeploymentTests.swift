import Foundation
import Testing

/// The systemd service manager, with a `systemctl` and a `journalctl` of the test's own in PATH that start and stop a real service
/// and write down how they were called.
@Suite("Deployments under systemd", .serialized)
struct SystemdDeploymentTests {
    private static let systemctl = """
        #!/bin/sh
        here=$(dirname "$0")
        echo "$*" >>"$here/calls"
        pid=$(cat "$here/pid" 2>/dev/null || echo 0)
        # Who has ended is gone for systemd, which reaps it, whenever this machine's first process may do so.
        alive() { [ "$pid" != 0 ] && grep -q '^State:.[^ZX]' "/proc/$pid/status" 2>/dev/null; }
        case $1 in
        show)
            echo LoadState=loaded
            if alive; then echo ActiveState=active; echo "MainPID=$pid"; else echo ActiveState=inactive; echo MainPID=0; fi
            echo ControlGroup= ;;
        start)
            alive && exit 0
            cd "$TREE" || exit 1
            PYTHONPATH=src PYTHONDONTWRITEBYTECODE=1 EXO_API_PORT=$TREE_PORT setsid "$TREE_PYTHON" -m exo \\
                >>"$here/journal" 2>&1 </dev/null &
            echo $! >"$here/pid"
            # What is still in this command's group when it ends, ends with it.
            until [ "$(cut -d ' ' -f 5 "/proc/$!/stat")" = $! ]; do :; done ;;
        stop)
            alive || exit 0
            [ ! -e "$here/stubborn" ] || { echo "Job for exo.service timed out."; exit 1; }
            kill -KILL "-$pid"
            while alive; do read -r _ </proc/uptime; done ;;
        kill) ! alive || kill -KILL "-$pid"; rm -f "$here/stubborn" ;;
        esac
        """

    /// A tree whose scripts find these programs.
    private func prepare() throws -> (tree: DeployedTree, environment: [String: String], bin: String) {
        let tree = try DeployedTree(["SERVICE_MANAGER": "systemd", "FORCE_STOP": "false"])
        let bin = "\(tree.directory)/bin"
        try FileManager.default.createDirectory(atPath: bin, withIntermediateDirectories: true)
        let journalctl =
            "#!/bin/sh\necho \"journalctl $*\" >>\"$(dirname \"$0\")/calls\"\ncat \"$(dirname \"$0\")/journal\"\n"
        for (name, text) in [("systemctl", Self.systemctl), ("journalctl", journalctl)] {
            try text.write(toFile: "\(bin)/\(name)", atomically: true, encoding: .utf8)
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: "\(bin)/\(name)")
        }
        let settings = try String(contentsOfFile: "\(tree.deployment)/config/local.conf", encoding: .utf8)
        let port = try #require(settings.firstMatch(of: #/API_PORT="(\d+)"/#)?.1)
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        return (
            tree,
            [
                "PATH": "\(bin):\(path)", "TREE": tree.root, "TREE_PORT": String(port), "TREE_PYTHON": Command.python,
            ], bin
        )
    }

    private func end(_ tree: DeployedTree, _ bin: String) {
        if let text = try? String(contentsOfFile: "\(bin)/pid", encoding: .utf8),
            let pid = Int32(text.trimmingCharacters(in: .whitespacesAndNewlines)), pid > 1
        {
            kill(-pid, SIGKILL)
        }
        tree.remove()
    }

    @Test func deployValidateAndRollBack() throws {
        let (tree, environment, bin) = try prepare()
        defer { end(tree, bin) }
        let releases = try DeployedTree.releases()
        let deploy = try tree.run(DeployedTree.deploy, ["--skip-tests"], environment)
        #expect(deploy.status == 0, "\(deploy.text)")
        #expect(try tree.hash() == releases.new)
        let validate = try tree.run(DeployedTree.validate, [], environment)
        #expect(validate.status == 0, "\(validate.text)")
        let rollback = try tree.run(DeployedTree.rollback, ["latest"], environment)
        #expect(rollback.status == 0, "\(rollback.text)")
        #expect(try tree.hash() == releases.old)
        let calls = try String(contentsOfFile: "\(bin)/calls", encoding: .utf8).split(separator: "\n").map(String.init)
        #expect(calls.contains("start exo") && calls.contains("stop exo"), "\(calls)")
        #expect(calls.contains { $0.hasPrefix("journalctl -u exo --since @") }, "\(calls)")
        try "Queue is closed\n".write(toFile: "\(bin)/journal", atomically: true, encoding: .utf8)
        let strict = try tree.run(DeployedTree.validate, ["--set", "ERROR_THRESHOLD=0"], environment)
        #expect(strict.status == 1 && strict.text.contains("race errors: failed: 1 lines"), "\(strict.text)")
    }

    @Test func aUnitThatDoesNotStop() throws {
        let (tree, environment, bin) = try prepare()
        defer { end(tree, bin) }
        #expect(try tree.run(DeployedTree.deploy, ["--skip-tests"], environment).status == 0)
        let before = try tree.hash()
        try "".write(toFile: "\(bin)/stubborn", atomically: true, encoding: .utf8)
        let rollback = try tree.run(DeployedTree.rollback, ["latest"], environment)
        #expect(rollback.status == 1 && rollback.text.contains("systemctl stop exo: exit 1"), "\(rollback.text)")
        #expect(try tree.hash() == before)
        #expect(try tree.run(DeployedTree.validate, [], environment).status == 0)
        try "".write(toFile: "\(bin)/stubborn", atomically: true, encoding: .utf8)
        let emergency = try tree.run(DeployedTree.rollback, ["latest", "--emergency"], environment)
        #expect(emergency.status == 0, "\(emergency.text)")
        #expect(try tree.hash() != before)
    }

    /// A journal that never comes to its end keeps nobody from the answer, and what was not looked at does not read as passed.
    @Test func aJournalThatDoesNotEnd() throws {
        let (tree, environment, bin) = try prepare()
        defer { end(tree, bin) }
        #expect(try tree.run(DeployedTree.deploy, ["--skip-tests"], environment).status == 0)
        try #require(mkfifo("\(bin)/asked", 0o600) == 0)
        try "#!/bin/sh\n[ -z \"$TELL\" ] || : >\"$(dirname \"$0\")/asked\"\nexec sleep 1000\n".write(
            toFile: "\(bin)/journalctl", atomically: true, encoding: .utf8)
        chmod("\(bin)/journalctl", 0o755)
        let late = try tree.run(DeployedTree.validate, ["--set", "VALIDATION_TIMEOUT=2"], environment)
        #expect(late.status == 1, "\(late.text)")
        let why = "the time for the validation was over (VALIDATION_TIMEOUT)"
        #expect(late.text.contains("race errors: failed: \(why)"), "\(late.text)")
        #expect(late.text.contains("resources: skipped: not looked at: \(why)"), "\(late.text)")
        #expect(late.text.contains("health endpoint: passed"), "\(late.text)")
        // SIGTERM ends it too.
        let (process, output) = try tree.begin(
            DeployedTree.validate, ["--set", "VALIDATION_TIMEOUT=3000"], environment.merging(["TELL": "1"]) { $1 })
        let asked = try #require(FileHandle(forReadingAtPath: "\(bin)/asked"))
        _ = asked.readDataToEndOfFile()
        process.terminate()
        let text = String(decoding: output.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationReason == .exit && process.terminationStatus == 130, "\(text)")
        #expect(text.contains("race errors: failed: interrupted"), "\(text)")
    }

    /// A systemd that does not answer is no reason to start the service a second time.
    @Test(.enabled(if: geteuid() == 0, "mounting needs root"))
    func aSystemdThatDoesNotAnswer() throws {
        let (tree, environment, bin) = try prepare()
        defer { end(tree, bin) }
        let script = """
            mount -t tmpfs none /run && mkdir -p /run/systemd/system
            exec "$1" service start --tree "$2" --set SERVICE_MANAGER=auto
            """
        for (answer, status, says) in [
            ("echo Failed to connect to bus; exit 1", Int32(2), "systemd does not say whether it has the service"),
            ("echo LoadState=not-found", 0, "running: process"),
        ] {
            try "#!/bin/sh\n\(answer)\n".write(toFile: "\(bin)/systemctl", atomically: true, encoding: .utf8)
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: "\(bin)/systemctl")
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/unshare")
            process.arguments = ["--mount", "sh", "-c", script, "sh", Command.program, tree.root]
            process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
            let (ended, text) = try process.runToEnd()
            #expect(ended == status && text.contains(says), "\(text)")
        }
        // The supervisor has it now.
        _ = try tree.fracas("service", "stop", "--force", "--set", "SERVICE_MANAGER=supervisor")
    }
}
