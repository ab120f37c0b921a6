import Foundation
import Testing

/// What the keys of the service, of a change's way and of a validation do.
extension SettingProof {
    static let service: [String: Body] = [
        "SERVICE_NAME": { tree in
            try systemctl(tree, ["SERVICE_NAME": "proxy-7"])
            #expect(tree.text("bin/calls").contains("proxy-7\n") && !tree.text("bin/calls").contains("exo\n"))
        },
        "SERVICE_MANAGER": { tree in
            try expect(tree, DeployedTree.deploy, ["--dry-run"], [:], status: 0, says: "by the built-in supervisor")
            try systemctl(tree, [:])
        },
        "SERVICE_COMMAND": { tree in
            let command = "{python} -S -E -I {root}/service.py other"
            #expect(try tree.fracas("service", "start", "--set", "SERVICE_COMMAND=\(command)").status == 0)
            let line = FileManager.default.contents(atPath: "/proc/\(try tree.process())/cmdline") ?? Data()
            let words = line.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
            #expect(words == [Command.python, "-S", "-E", "-I", "\(tree.root)/service.py", "other"])
        },
        "SERVICE_ENVIRONMENT": given("SERVICE_ENVIRONMENT", "HUE=teal", as: "HUE=teal"),
        "SERVICE_ENV_PREFIX": { tree in
            // Without it the service does not learn its port, so it is named by hand.
            try tree.write(
                "deployment/config/local.conf",
                tree.text("deployment/config/local.conf") + "\nSERVICE_ENVIRONMENT=\"\(port(tree))\"\n")
            #expect(try tree.fracas("service", "start", "--set", "SERVICE_ENV_PREFIX=ZZ_").status == 0)
            let environment = try tree.environment()
            #expect(environment.contains("ZZ_SHUTDOWN_TIMEOUT=30") && !environment.contains("EXO_SHUTDOWN_TIMEOUT=30"))
        },
        "SHUTDOWN_TIMEOUT": given("SHUTDOWN_TIMEOUT", "41", as: "EXO_SHUTDOWN_TIMEOUT=41"),
        "RESOURCE_CLEANUP_TIMEOUT": given("RESOURCE_CLEANUP_TIMEOUT", "42", as: "EXO_RESOURCE_CLEANUP_TIMEOUT=42"),
        "CHANNEL_DRAIN_TIMEOUT": given("CHANNEL_DRAIN_TIMEOUT", "43", as: "EXO_CHANNEL_DRAIN_TIMEOUT=43"),
        "SERVICE_USER": { tree in
            try expect(
                tree, DeployedTree.deploy, ["--dry-run"], ["SERVICE_USER": "no-such-user"], status: 2,
                says: "SERVICE_USER 'no-such-user' is no user here")
            #expect(try owner(tree, ["SERVICE_USER=nobody"]) == "Uid:\t65534\t65534\t65534\t65534")
        },
        "SERVICE_GROUP": { tree in
            try expect(
                tree, DeployedTree.deploy, ["--dry-run"], ["SERVICE_USER": "nobody", "SERVICE_GROUP": "no-such-group"],
                status: 2, says: "SERVICE_GROUP 'no-such-group' is no group here")
            #expect(try owner(tree, ["SERVICE_USER=nobody", "SERVICE_GROUP=daemon"], "Gid:") == "Gid:\t1\t1\t1\t1")
        },
        "SERVICE_STOP_TIMEOUT": { tree in
            try expect(
                tree, DeployedTree.deploy, ["--dry-run"], ["SERVICE_STOP_TIMEOUT": "77"], status: 0, says: "within 77 s"
            )
            try tree.write("stubborn", "")
            try tree.start()
            let stop = try tree.fracas("service", "stop", "--set", "SERVICE_STOP_TIMEOUT=1")
            #expect(
                stop.status == 2 && stop.errors.contains("did not stop by SIGTERM within its time"), "\(stop.errors)")
        },
        "FORCE_STOP": { tree in
            try tree.write("stubborn", "")
            try tree.start()
            try expect(
                tree, DeployedTree.deploy, [], ["FORCE_STOP": "false"], status: 1,
                says: "did not stop by SIGTERM within its time")
            try expect(tree, DeployedTree.deploy, [], ["FORCE_STOP": "true"], status: 0)
        },
        "SERVICE_START_TIMEOUT": { tree in
            try tree.write("answer-health", "500 0")
            let start = try tree.fracas(
                "service", "start", "--set", "SERVICE_START_TIMEOUT=1", "--set", "HEALTH_CHECK_RETRIES=10000")
            #expect(start.status == 2 && start.errors.contains("the service is not healthy"), "\(start.errors)")
            #expect(tree.count("requests", "health") < 9000)
        },
        "SERVICE_RESTART": { tree in
            try tree.start()
            try tree.crash()
            #expect(try tree.runsAgain() == 1)
            _ = try tree.fracas("service", "stop")
            #expect(try tree.fracas("service", "start", "--set", "SERVICE_RESTART=no").status == 0)
            try tree.crash()
            #expect(try tree.fracas("service", "status").output.hasPrefix("stopped\nservice: ended last by signal 9 "))
        },
        "SERVICE_RESTART_BACKOFF": { tree in
            #expect(try tree.fracas("service", "start", "--set", "SERVICE_RESTART_BACKOFF=3600").status == 0)
            try tree.crash()
            let status = try tree.fracas("service", "status")
            #expect(status.status == 1 && status.output.contains("is about to be started again"), "\(status.output)")
            #expect(
                try tree.newestLog("service_2", ".log").contains("it is started again in 3600.0 s, for the 1. time"))
        },
        "SERVICE_RESTART_LIMIT": { tree in
            #expect(try tree.fracas("service", "start", "--set", "SERVICE_RESTART_LIMIT=1").status == 0)
            try tree.crash()
            #expect(try tree.runsAgain() == 1)
            try tree.crash()
            let status = try tree.fracas("service", "status")
            #expect(status.output.contains("is not started any more: it was started again 1 times"), "\(status.output)")
        },
        "SERVICE_RESTART_INTERVAL": { tree in
            let set = ["SERVICE_RESTART_LIMIT=1", "SERVICE_RESTART_INTERVAL=1", "SERVICE_RESTART_BACKOFF=0"]
            let start = try Command.run(
                ["service", "start", "--tree", tree.root] + set.flatMap { ["--set", $0] }, in: tree.directory)
            #expect(start.status == 0, "\(start.errors)")
            for number in 1...2 {
                // The one before is then too long ago to count.
                while try age(tree) < 2 {}
                try tree.crash()
                #expect(try tree.runsAgain() == number)
            }
        },
        "SERVICE_RESTART_DELAY": { tree in
            try expect(
                tree, DeployedTree.deploy, ["--dry-run"], ["SERVICE_RESTART_DELAY": "77"], status: 0,
                says: "would wait 77 s")
            // Longer than the deployment may take: so it is waited for until that is over.
            try expect(
                tree, DeployedTree.deploy, [], ["SERVICE_RESTART_DELAY": "3600", "DEPLOYMENT_TIMEOUT": "5"], status: 1,
                says: "wait 3600 s before the service starts")
        },
    ]

    /// Whole seconds since the service's first process has started.
    private static func age(_ tree: DeployedTree) throws -> Int {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/ps")
        process.arguments = ["-o", "etimes=", "-p", "\(try tree.process())"]
        let text = try process.runToEnd().text
        return try #require(Int(text.trimmingCharacters(in: .whitespacesAndNewlines)))
    }

    private static func port(_ tree: DeployedTree) -> String {
        let settings = tree.text("deployment/config/local.conf")
        return "EXO_API_PORT=" + (settings.firstMatch(of: #/API_PORT="(\d+)"/#).map { String($0.1) } ?? "")
    }

    /// A dry run with a `systemctl` that writes down how it is called.
    private static func systemctl(_ tree: DeployedTree, _ settings: [String: String]) throws {
        try tree.write(
            "bin/systemctl",
            "#!/bin/sh\necho \"$*\" >>\"$(dirname \"$0\")/calls\"\nprintf 'LoadState=loaded\\nActiveState=inactive\\n'\n"
        )
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o755], ofItemAtPath: "\(tree.root)/bin/systemctl")
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        let environment = ["SERVICE_MANAGER": "systemd", "PATH": "\(tree.root)/bin:\(path)"].merging(settings) { $1 }
        try expect(
            tree, DeployedTree.deploy, ["--dry-run"], environment, status: 0, says: "stop the service by systemd")
    }

    /// As whom the service runs that these settings start, from its status; it need not be healthy.
    private static func owner(_ tree: DeployedTree, _ settings: [String], _ field: String = "Uid:") throws -> String {
        try #require(geteuid() == 0, "becoming another user needs root")
        for path in [tree.directory, tree.root] {
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
        }
        let set = (settings + ["SERVICE_COMMAND=/bin/sleep 3600", "HEALTH_CHECK_RETRIES=1"]).flatMap { ["--set", $0] }
        _ = try Command.run(["service", "start", "--tree", tree.root] + set, in: tree.directory)
        let status = try String(contentsOfFile: "/proc/\(try tree.process())/status", encoding: .utf8)
        return status.split(separator: "\n").first { $0.hasPrefix(field) }.map(String.init) ?? ""
    }

    // MARK: the way of a change

    static let flow: [String: Body] = [
        "DEPLOYMENT_TIMEOUT": { tree in
            let before = try tree.hash()
            let settings = ["INSTALL_COMMAND": try endless(tree), "DEPLOYMENT_TIMEOUT": "5"]
            try expect(tree, DeployedTree.deploy, [], settings, status: 1, says: "once.sh': its time was over")
            #expect(try tree.hash() == before)
        },
        "ROLLBACK_TIMEOUT": { tree in
            try expect(tree, DeployedTree.deploy, [], [:], status: 0)
            let before = try tree.hash()
            let settings = ["INSTALL_COMMAND": try endless(tree), "ROLLBACK_TIMEOUT": "5"]
            try expect(
                tree, DeployedTree.rollback, ["latest"], settings, status: 1, says: "once.sh': its time was over")
            #expect(try tree.hash() == before)
        },
        "VALIDATION_TIMEOUT": { tree in
            let settings = ["TEST_COMMAND": try endless(tree), "VALIDATION_TIMEOUT": "1"]
            try expect(tree, DeployedTree.deploy, [], settings, status: 1, says: "once.sh': its time was over")
        },
        "ROLLBACK_VALIDATION_TIMEOUT": { tree in
            try expect(tree, DeployedTree.deploy, [], [:], status: 0)
            try tree.write("answer-state", "200 2")
            try expect(
                tree, DeployedTree.rollback, ["latest"], ["ROLLBACK_VALIDATION_TIMEOUT": "1"], status: 1,
                says: "dashboard endpoint: the time for the validation was over")
            try expect(tree, DeployedTree.rollback, ["latest"], ["ROLLBACK_VALIDATION_TIMEOUT": "600"], status: 0)
        },
        "INSTALL_COMMAND": { tree in
            try expect(
                tree, DeployedTree.deploy, [], ["INSTALL_COMMAND": "/usr/bin/touch {root}/installed"], status: 0)
            #expect(tree.exists("installed"))
        },
        "TEST_COMMAND": { tree in
            try expect(tree, DeployedTree.deploy, [], ["TEST_COMMAND": "/usr/bin/touch tested"], status: 0)
            #expect(tree.exists("tested"))
        },
        "SKIP_TESTS": { tree in
            try expect(tree, DeployedTree.deploy, [], ["TEST_COMMAND": "/bin/false"], status: 1, says: "TEST_COMMAND")
            try expect(tree, DeployedTree.deploy, [], ["TEST_COMMAND": "/bin/false", "SKIP_TESTS": "true"], status: 0)
        },
        "SKIP_VALIDATION": { tree in
            try tree.write("answer-state", "500 0")
            try expect(tree, DeployedTree.deploy, [], [:], status: 1, says: "/state answered 500")
            try expect(tree, DeployedTree.deploy, [], ["SKIP_VALIDATION": "true"], status: 0)
        },
        "AUTO_ROLLBACK_ON_FAILURE": { tree in
            let releases = try DeployedTree.releases()
            let settings = ["INSTALL_COMMAND": "/bin/false", "AUTO_ROLLBACK_ON_FAILURE": "false"]
            try expect(tree, DeployedTree.deploy, [], settings, status: 3)
            #expect(try tree.hash() == releases.new)
        },
        "DRY_RUN": { tree in
            let before = try TreeHash.of(tree.root)
            try expect(tree, DeployedTree.deploy, [], ["DRY_RUN": "true"], status: 0, says: "would back up src")
            #expect(try TreeHash.of(tree.root) == before)
        },
        "VERBOSE_LOGGING": { tree in
            #expect(try !tree.run(DeployedTree.deploy, ["--backup-only"]).text.contains("python: passed"))
            try expect(
                tree, DeployedTree.deploy, ["--backup-only"], ["VERBOSE_LOGGING": "true"], status: 0,
                says: "python: passed")
        },
        "NOTIFY_ON_SUCCESS": { tree in
            let told = ["NOTIFY_COMMAND": "/bin/cp -t {root}"]
            try backUp(tree, told)
            #expect(try reports(tree).isEmpty)
            try backUp(tree, told.merging(["NOTIFY_ON_SUCCESS": "true"]) { $1 })
            #expect(try reports(tree).count == 1)
        },
        "NOTIFY_ON_FAILURE": { tree in
            let told = ["NOTIFY_COMMAND": "/bin/cp -t {root}", "PYTHON": "/bin/false"]
            try expect(tree, DeployedTree.deploy, [], told, status: 2)
            #expect(try reports(tree).isEmpty)
            try expect(tree, DeployedTree.deploy, [], told.merging(["NOTIFY_ON_FAILURE": "true"]) { $1 }, status: 2)
            #expect(try reports(tree).count == 1)
        },
        "NOTIFY_COMMAND": { tree in
            try expect(
                tree, DeployedTree.deploy, ["--backup-only"],
                ["NOTIFY_ON_SUCCESS": "true", "NOTIFY_COMMAND": "/bin/sh -c false"], status: 0,
                says: "NOTIFY_COMMAND: exit 1")
        },
        "NOTIFICATION_EMAIL": refused("NOTIFICATION_EMAIL", "ops@example.org"),
        "SLACK_WEBHOOK": refused("SLACK_WEBHOOK", "https://example.org/hook"),
    ]

    private static func reports(_ tree: DeployedTree) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: tree.root).filter { $0.hasPrefix("deployment_report_") }
    }

    // MARK: validations

    static let validation: [String: Body] = [
        "VALIDATION_INTERVAL": { tree in
            try tree.start()
            let (process, output) = try tree.begin(
                DeployedTree.validate, ["--continuous"], ["VALIDATION_INTERVAL": "0.05"])
            // With the standard minute between them this would not come to its end.
            _ = try output.text { $0.components(separatedBy: ": healthy\n").count >= 6 }
            process.interrupt()
            _ = output.readDataToEndOfFile()
            process.waitUntilExit()
        },
        "ERROR_THRESHOLD": { tree in
            try boom(tree)
            let patterns = { ["RACE_ERROR_PATTERNS": "boom", "ERROR_THRESHOLD": $0] }
            try expect(tree, DeployedTree.validate, [], patterns("1"), status: 1, says: "race errors: failed: 2 lines")
            try expect(tree, DeployedTree.validate, [], patterns("2"), status: 0)
        },
        "RACE_ERROR_PATTERNS": { tree in
            try boom(tree)
            let patterns = { ["RACE_ERROR_PATTERNS": $0, "ERROR_THRESHOLD": "0"] }
            try expect(
                tree, DeployedTree.validate, [], patterns("bo+m$"), status: 1, says: "race errors: failed: 2 lines")
            try expect(tree, DeployedTree.validate, [], patterns("bang"), status: 0)
        },
        "MEMORY_THRESHOLD": bound("MEMORY_THRESHOLD", "memory", low: "0", high: 99),
        // Its start alone took some time of the processor.
        "CPU_THRESHOLD": bound("CPU_THRESHOLD", "cpu", low: "0", high: 10_000),
        "DISK_THRESHOLD": bound("DISK_THRESHOLD", "disk", low: "0", high: 100),
        "THREAD_THRESHOLD": { tree in
            try tree.start()
            let report = try tree.json(DeployedTree.validate, [], ["THREAD_THRESHOLD": "7"]).object
            #expect(try DeployedTree.check("threads", of: report)["threshold"] as? Double == 7)
        },
        "DESCRIPTOR_THRESHOLD": { tree in
            try tree.start()
            try expect(
                tree, DeployedTree.validate, [], ["DESCRIPTOR_THRESHOLD": "1"], status: 1, says: "descriptors: failed")
        },
        "RESPONSE_TIME_THRESHOLD": { tree in
            try tree.start()
            try expect(
                tree, DeployedTree.validate, [], ["RESPONSE_TIME_THRESHOLD": "0"], status: 1,
                says: "response time: failed")
        },
        "RESPONSE_SAMPLES": { tree in
            try tree.start()
            let before = tree.count("requests", "health")
            try expect(
                tree, DeployedTree.validate, [], ["RESPONSE_SAMPLES": "7"], status: 0, says: "of 7 requests")
            // And once as an endpoint.
            #expect(tree.count("requests", "health") - before == 8)
        },
        "MEMORY_LEAK_THRESHOLD": { tree in
            try tree.start()
            // It takes five validations, over more than a second.
            var check: [String: Any] = ["outcome": "skipped"]
            while check["outcome"] as? String == "skipped" {
                let report = try tree.json(DeployedTree.validate, [], ["MEMORY_LEAK_THRESHOLD": "7"]).object
                check = try DeployedTree.check("memory growth", of: report)
            }
            #expect(check["threshold"] as? Double == 7)
        },
        "MULTI_NODE_TRIALS": { tree in
            try tree.start()
            try expect(
                tree, DeployedTree.validate, [], ["VERBOSE_LOGGING": "true"], status: 0,
                says: "multi-node check: skipped: MULTI_NODE_TRIALS is 0")
            // That it certifies what is deployed is shown elsewhere; here only that it is begun.
            try expect(
                tree, DeployedTree.validate, [], ["MULTI_NODE_TRIALS": "1"], status: 1,
                says: "multi-node check: failed: exit ")
        },
    ]

    private static func boom(_ tree: DeployedTree) throws {
        try tree.write("says", "boom\nall quiet\na boom\n")
        try tree.start()
    }
}
