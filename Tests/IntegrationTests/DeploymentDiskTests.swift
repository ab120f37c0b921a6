import Foundation
import Testing

/// Full disks: what can be known is said before the service stops, and what comes in the middle ends with a service that serves.
@Suite("Deployments and full disks", .serialized, .enabled(if: geteuid() == 0, "mounting needs root"))
struct DeploymentDiskTests {
    /// The deployment is killed with the new release in place; then the disk fills up. What was staged makes the room that the service
    /// needs. Its counterpart has room, and comes to the same.
    @Test(arguments: [true, false])
    func recoveryOnAFullDisk(isFull: Bool) throws {
        let result = try OnDisk.run(
            """
            "$FRACAS" service start --tree .
            head -c 2000000 /dev/urandom >releases/fixed/src/big
            printf 'kill -KILL $PPID' >../kill.sh
            rc=0; "$FRACAS" deploy --tree . --set "INSTALL_COMMAND=/bin/sh ../kill.sh" || rc=$?
            [ "$rc" = 137 ]; [ "$(release)" = new ]; grep -q staged deployment/.journal
            \(isFull ? "fill" : "")
            "$FRACAS" backups --tree . 2>../errors
            [ "$(release)" = old ]; serves; settled
            \(isFull ? "" : "[ ! -s ../errors ]")
            """)
        #expect(result.isWell, "\(result.text)")
    }

    /// The tests fill the disk: the phases that are left are written down all the same, whichever way it goes on.
    @Test(arguments: [true, false])
    func theDiskFillsInTheMiddle(succeeds: Bool) throws {
        let result = try OnDisk.run(
            """
            "$FRACAS" service start --tree .
            printf 'dd if=/dev/zero of=../fill bs=4k 2>/dev/null; \(succeeds ? "true" : "false")' >../test.sh
            rc=0; "$FRACAS" deploy --tree . --set "TEST_COMMAND=/bin/sh ../test.sh" >../out 2>&1 || rc=$?
            cat ../out
            [ "$rc" = \(succeeds ? 0 : 1) ]; [ "$(release)" = \(succeeds ? "new" : "old") ]; serves; settled
            \(succeeds ? "grep 'warning: .*No space left' ../out" : "")
            rm ../fill
            "$FRACAS" deploy --tree . >../out 2>&1
            ! grep warning: ../out
            [ "$(release)" = new ]; serves; settled
            """)
        #expect(result.isWell, "\(result.text)")
    }

    /// What a deployment kept free for it is enough for the way back, when not a byte is left.
    @Test func theWayBackWithNothingFree() throws {
        let result = try OnDisk.run(
            """
            "$FRACAS" service start --tree .
            "$FRACAS" deploy --tree .
            [ "$(release)" = new ]
            fill
            [ "$(stat -f -c %a .)" = 0 ]
            "$FRACAS" rollback latest --emergency --tree .
            [ "$(release)" = old ]; serves; settled
            rm ../fill
            "$FRACAS" backups --tree .
            """)
        #expect(result.isWell, "\(result.text)")
        #expect(result.text.contains("what was kept free there for the way back is used now"), "\(result.text)")
    }

    /// Logs are no reason to stop a service, whether no file can be made for them or no byte written.
    @Test(arguments: ["size=1m,nr_inodes=12", "size=64k,nr_inodes=1k", "size=1m,nr_inodes=1k"])
    func aFullDiskOfLogs(options: String) throws {
        let isFull = options != "size=1m,nr_inodes=1k"
        let result = try OnDisk.run(
            """
            mkdir ../logs; mount -t tmpfs -o \(options) none ../logs
            printf '\\nLOG_DIR="%s/../logs"\\n' "$(pwd -P)" >>deployment/config/local.conf
            if \(isFull); then
                dd if=/dev/zero of=../logs/bytes bs=1k count=\(options.contains("64k") ? "100" : "0") 2>/dev/null || true
                for i in $(seq 2000); do touch ../logs/$i || break; done 2>/dev/null
            fi
            rc=0
            "$FRACAS" service start --tree . 2>../out
            for command in deploy 'rollback latest'; do
                "$FRACAS" $command --tree . >>../out 2>&1; serves; settled
            done
            [ "$(release)" = old ]
            cat ../out
            if \(isFull); then
                grep -q "warning: log: .*No space left" ../out; grep -q "warning: service log: the service's output goes nowhere" ../out
                "$FRACAS" doctor --deployment --tree . | grep "warning  logs: nothing can be written in"
                "$FRACAS" deploy --dry-run --tree .
            else
                ! grep warning: ../out; ls ../logs/deploy_*.log ../logs/rollback_report_*.md ../logs/service_*.log
                "$FRACAS" doctor --deployment --tree . | grep "ok       logs: "
            fi
            """)
        #expect(result.isWell, "\(result.text)")
    }

    /// Bytes or files that lack are found while the service runs; so says who only looks.
    @Test(arguments: [("size=8m", "KiB are free"), ("size=20m,nr_inodes=200", "more files can be made")])
    func whatLacksIsKnownBefore(options: String, says: String) throws {
        let result = try OnDisk.run(
            options: options,
            """
            "$FRACAS" service start --tree .
            \(options.contains("inodes") ? "while [ $(stat -f -c %d .) -gt 20 ]; do touch ../$(stat -f -c %d .); done" : "head -c 1000000 /dev/zero >releases/fixed/src/big; head -c $(($(stat -f -c %a .) * 4096 - 900000)) /dev/zero >../fill")
            runs=$("$FRACAS" service status --tree .)
            rc=0; "$FRACAS" deploy --dry-run --tree . >../out 2>&1 || rc=$?; [ $rc = 2 ]; grep -E 'disk: .*(\(says))' ../out
            "$FRACAS" doctor --deployment --tree . | grep -E 'FAILED   disk: .*(\(says))'
            rc=0; "$FRACAS" deploy --tree . >../out 2>&1 || rc=$?; cat ../out; [ $rc = 2 ]; grep -qE 'disk: .*(\(says))' ../out
            [ "$("$FRACAS" service status --tree .)" = "$runs" ]; serves; settled
            """)
        #expect(result.isWell, "\(result.text)")
    }

    /// The exit code is 3 exactly where a journal is left.
    @Test(arguments: [("SERVICE_COMMAND=/bin/false", 3), ("TEST_COMMAND=/bin/false", 1), ("TEST_COMMAND=/bin/true", 0)])
    func theExitCodeOfAJournal(setting: String, code: Int) throws {
        let result = try OnDisk.run(
            """
            "$FRACAS" service start --tree .
            rc=0; "$FRACAS" deploy --tree . --set \(setting) >../out 2>&1 || rc=$?
            cat ../out; [ "$rc" = \(code) ]
            if [ $rc = 3 ]; then
                [ -e deployment/.journal ]; grep -q "but its service does not run: .*the next command goes on with that" ../out
                grep -q '^deploy: failed, release in the tree: unsettled' ../out
                ! grep -q '^undone: ' ../out
            else
                settled
            fi
            [ $rc = 0 ] || [ "$(release)" = old ]
            "$FRACAS" backups --tree .; serves; settled
            """)
        #expect(result.isWell, "\(result.text)")
    }

    /// What a recovery could not give back is still owed when the next command fails before it changes anything, and when it is undone.
    @Test func whatIsOwedStaysOwed() throws {
        let result = try OnDisk.run(
            """
            "$FRACAS" service start --tree .
            rc=0; "$FRACAS" deploy --tree . --set SERVICE_COMMAND=/bin/false || rc=$?; [ $rc = 3 ]
            rc=0; "$FRACAS" deploy --tree . --set SERVICE_COMMAND=/bin/false --set REQUIRED_DISK_GB=1000 || rc=$?; [ $rc = 3 ]
            [ -e deployment/.journal ]
            printf '[ -e ../again ] || { : >../again; exit 1; }; exec "%s" -S -E -I service.py' '\(Command.python)' >../second.sh
            rc=0; "$FRACAS" deploy --tree . --set "SERVICE_COMMAND=/bin/sh ../second.sh" --set TEST_COMMAND=/bin/false || rc=$?
            [ $rc = 1 ]; [ "$(release)" = old ]; serves; settled
            """)
        #expect(result.isWell, "\(result.text)")
    }
}

/// A tree on a disk of its own, made by a mount in a namespace of its own, where a shell's commands run: with `release`, `serves`,
/// `settled` and `fill`.
enum OnDisk {
    struct Result {
        let isWell: Bool
        let text: String
    }

    /// - Parameters:
    ///   - options: of the tmpfs that the tree is copied to.
    ///   - mount: commands that make the disk instead.
    static func run(options: String = "size=12m", mount: String? = nil, _ script: String) throws -> Result {
        let tree = try LightTree.make()
        defer { tree.remove() }
        try FileManager.default.removeItem(atPath: "\(tree.root)/src")
        try tree.write("src/sign", "old")
        try tree.write("src/a/b/c", "hello")
        try FileManager.default.removeItem(atPath: "\(tree.root)/releases/fixed/src")
        try tree.write("releases/fixed/src/sign", "new")
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/unshare")
        process.arguments = [
            "--mount", "sh", "-c",
            """
            set -eu; mkdir "$2"
            \(mount ?? "mount -t tmpfs -o \(options) none \"$2\"; cp -a \"$1\" \"$2/tree\"")
            cd "$2/tree"
            release() { cat src/sign; }
            serves() { curl -fsS -o /dev/null "http://127.0.0.1:$(sed -n 's/^API_PORT="\\(.*\\)"/\\1/p' deployment/config/local.conf)/health"; }
            settled() { ! ls -A deployment | grep -E 'journal|staging|exchange|new$'; }
            fill() { dd if=/dev/zero of=../fill bs=4k 2>/dev/null || true; }
            trap '"$FRACAS" service stop --force --tree .' EXIT
            set -x
            \(script)
            set +x
            echo all is well
            """, "sh", tree.root, "\(tree.directory)/disk",
        ]
        process.environment = ProcessInfo.processInfo.environment.merging(["FRACAS": Command.program]) { $1 }
        let (status, text) = try process.runToEnd()
        return Result(isWell: status == 0 && text.contains("\nall is well\n"), text: text)
    }
}
