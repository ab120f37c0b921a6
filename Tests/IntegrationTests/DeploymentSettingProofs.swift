import Foundation
import Testing

/// What each key of `deployment.conf` does, as the operator sees it: one proof a key, each on a tree of its own.
enum SettingProof {
    typealias Body = @Sendable (DeployedTree) throws -> Void

    static let all: [String: Body] = [about, service, network, validation, machine, flow].reduce(into: [:]) {
        all, more in
        all.merge(more) { _, _ in preconditionFailure("a key has two proofs") }
    }

    // MARK: helpers

    /// Requires that a script says something.
    static func expect(
        _ tree: DeployedTree, _ script: String, _ arguments: [String] = [], _ environment: [String: String],
        status: Int32, says: String = ""
    ) throws {
        let result = try tree.run(script, arguments, environment)
        #expect(
            result.status == status && (says.isEmpty || result.text.contains(says)), "\(environment): \(result.text)")
    }

    static func backUp(_ tree: DeployedTree, _ environment: [String: String] = [:]) throws {
        try expect(tree, DeployedTree.deploy, ["--backup-only"], environment, status: 0)
    }

    /// A value that is an error, in a file: named with its line.
    static func refused(_ key: String, _ value: String) -> Body {
        { tree in
            let settings = tree.text("deployment/config/local.conf")
            try tree.write("deployment/config/local.conf", settings + "\n\(key)=\"\(value)\"\n")
            let line = settings.split(separator: "\n", omittingEmptySubsequences: false).count + 1
            for arguments in [["--dry-run"], ["--backup-only"], []] {
                try expect(
                    tree, DeployedTree.deploy, arguments, [:], status: 2,
                    says: "local.conf:\(line): \(key) is '\(value)', but must be one of: ")
            }
        }
    }

    /// A setting that reaches the service's environment.
    static func given(_ key: String, _ value: String, as expected: String) -> Body {
        { tree in
            #expect(try tree.fracas("service", "start", "--set", "\(key)=\(value)").status == 0)
            let environment = try tree.environment()
            #expect(environment.contains(expected), "\(environment)")
        }
    }

    /// A bound that a validation's check is held against: 0 or 1 is too little for what runs, the other is what the report says.
    static func bound(_ key: String, _ check: String, low: String, high: Double) -> Body {
        { tree in
            try tree.start()
            let result = try tree.run(DeployedTree.validate, [], [key: low])
            #expect(result.status == 1 && result.text.contains("\(check): failed"), "\(result.text)")
            let report = try tree.json(DeployedTree.validate, [], [key: "\(high)"]).object
            #expect(try DeployedTree.check(check, of: report)["threshold"] as? Double == high)
        }
    }

    /// An installation or test that goes on for ever, the first time.
    static func endless(_ tree: DeployedTree) throws -> String {
        try tree.write("once.sh", "[ ! -e once ] || exit 0; : >once; exec sleep 3600\n")
        return "/bin/sh {root}/once.sh"
    }

    // MARK: what is deployed, backups, logs

    private static let about: [String: Body] = [
        "DEPLOYMENT_TYPE": { tree in
            try backUp(tree, ["DEPLOYMENT_TYPE": "cold-fix"])
            #expect(try tree.newestLog("deployment_report_", ".md").contains("| what | cold-fix 1.0.0 |"))
        },
        "DEPLOYMENT_VERSION": { tree in
            try backUp(tree, ["DEPLOYMENT_VERSION": "9.7"])
            #expect(try tree.newestLog("deployment_report_", ".md").contains("| what | race-condition-fix 9.7 |"))
        },
        "PROJECT_ROOT": { tree in
            try backUp(tree, ["PROJECT_ROOT": tree.root])
            try expect(
                tree, DeployedTree.deploy, [], ["PROJECT_ROOT": "/elsewhere"], status: 2, says: "but the tree is")
        },
        "RELEASE_DIR": { tree in
            try tree.write("mine/src/only", "x")
            try expect(
                tree, DeployedTree.deploy, ["--dry-run"], ["RELEASE_DIR": "mine"], status: 0, says: "would add src/only"
            )
        },
        "BACKUP_DIR": { tree in
            try backUp(tree, ["BACKUP_DIR": "elsewhere/b"])
            #expect(try FileManager.default.contentsOfDirectory(atPath: "\(tree.root)/elsewhere/b").count == 1)
            #expect(tree.names("backups").isEmpty)
        },
        "LOG_DIR": { tree in
            try backUp(tree, ["LOG_DIR": "elsewhere/l"])
            #expect(tree.exists("elsewhere/l/deploy.prom") && tree.names("logs").isEmpty)
        },
        "BACKUP_RETENTION_DAYS": { tree in
            try backUp(tree)
            let made = try #require(tree.names("backups").first)
            let old = "20200101_000000"
            let backups = "\(tree.deployment)/backups"
            try FileManager.default.copyItem(atPath: "\(backups)/\(made)", toPath: "\(backups)/\(old)")
            try expect(tree, DeployedTree.deploy, [], ["BACKUP_RETENTION_DAYS": "36500"], status: 0)
            #expect(tree.names("backups").contains(old))
            try expect(tree, DeployedTree.deploy, [], ["BACKUP_RETENTION_DAYS": "30"], status: 0)
            #expect(!tree.names("backups").contains(old) && tree.names("backups").contains(made))
        },
        "BACKUP_COMPRESSION": refused("BACKUP_COMPRESSION", "true"),
        "BACKUP_VERIFICATION": { tree in
            try backUp(tree)
            #expect(try tree.newestLog("deploy_", ".log").contains(", read back and compared"))
            try backUp(tree, ["BACKUP_VERIFICATION": "false", "LOG_DIR": "deployment/other"])
            let name = try #require(tree.names("other").first { $0.hasPrefix("deploy_") && $0.hasSuffix(".log") })
            #expect(tree.text("deployment/other/\(name)").contains(", not read back"))
        },
        "LOG_RETENTION_HOURS": { tree in
            let old = "deploy_20200101_000000.log"
            try tree.write("deployment/logs/\(old)", "")
            try FileManager.default.setAttributes(
                [.modificationDate: Date(timeIntervalSinceNow: -7200)], ofItemAtPath: "\(tree.deployment)/logs/\(old)")
            try backUp(tree, ["LOG_RETENTION_HOURS": "3"])
            #expect(tree.names("logs").contains(old))
            try backUp(tree, ["LOG_RETENTION_HOURS": "1"])
            #expect(!tree.names("logs").contains(old))
        },
        "FILE_PERMISSIONS": { tree in
            try backUp(tree, ["FILE_PERMISSIONS": "600"])
            let made = try #require(tree.names("backups").first)
            #expect(try tree.mode("backups/\(made)/manifest.json") == 0o600)
            #expect(try tree.mode("logs/deploy.prom") == 0o600)
        },
        "DIR_PERMISSIONS": { tree in
            try backUp(tree, ["DIR_PERMISSIONS": "700", "LOG_DIR": "deployment/other"])
            #expect(try tree.mode("backups/\(try #require(tree.names("backups").first))") == 0o700)
            #expect(try tree.mode("other") == 0o700)
        },
    ]

    // MARK: network

    private static let network: [String: Body] = [
        "API_PORT": { tree in
            try expect(
                tree, DeployedTree.deploy, ["--dry-run"], ["API_PORT": "4711"], status: 0,
                says: "ask http://127.0.0.1:4711/health")
        },
        "HEALTH_ENDPOINT": endpoint("HEALTH_ENDPOINT", "health endpoint"),
        "STATE_ENDPOINT": endpoint("STATE_ENDPOINT", "state endpoint"),
        "DASHBOARD_ENDPOINT": endpoint("DASHBOARD_ENDPOINT", "dashboard endpoint"),
        "HEALTH_CHECK_RETRIES": { tree in
            try tree.start()
            try tree.write("answer-health", "500 0")
            // What is asked between the tries does not count, so there are none where they follow one another at once.
            let before = tree.count("requests", "health")
            let set = ["--set", "HEALTH_CHECK_RETRIES=3", "--set", "HEALTH_CHECK_INTERVAL=0"]
            let start = try Command.run(["service", "start", "--tree", tree.root] + set, in: tree.directory)
            #expect(start.status == 2 && start.errors.contains("after 3 tries"), "\(start.errors)")
            #expect(tree.count("requests", "health") - before == 3)
        },
        "HEALTH_CHECK_INTERVAL": { tree in
            try tree.start()
            try tree.write("answer-health", "500 0")
            // Once as a try, as the interval is longer than the time there is; and between the tries ever less often.
            let before = tree.count("requests", "health")
            let command = try tree.fracas(
                "service", "start", "--set", "HEALTH_CHECK_INTERVAL=3600", "--set", "HEALTH_CHECK_RETRIES=50", "--set",
                "SERVICE_START_TIMEOUT=1")
            #expect(command.status == 2 && command.errors.contains("after 1 tries"), "\(command.errors)")
            #expect((2...60).contains(tree.count("requests", "health") - before))
        },
        "HEALTH_SOAK": { tree in
            try tree.start()
            // The service is gone before that is over, which it otherwise would not be.
            let (soaking, output) = try tree.begin(DeployedTree.deploy, [], ["HEALTH_SOAK": "86400"])
            _ = try output.text { $0.contains("wait until the service is healthy") }
            let before = tree.count("requests", "health")
            while tree.count("requests", "health") < before + 20 { sched_yield() }
            kill(pid_t(try tree.process()), SIGKILL)
            let text = String(decoding: output.readDataToEndOfFile(), as: UTF8.self)
            soaking.waitUntilExit()
            #expect(soaking.terminationStatus == 1, "\(text)")
            #expect(text.contains("ended within HEALTH_SOAK (86400 s) after it was healthy"), "\(text)")
            try expect(tree, DeployedTree.deploy, [], ["HEALTH_SOAK": "0.2"], status: 0)
        },
        "HEALTH_OWNER": { tree in
            try tree.write("sharing", "")
            try tree.start()
            let stranger = try Stranger(tree, sharing: true)
            defer { stranger.end() }
            try expect(
                tree, DeployedTree.validate, [], [:], status: 1,
                says: "who answers: failed: what answers at port \(tree.port) is not the service, but process")
            try expect(
                tree, DeployedTree.validate, [], ["HEALTH_OWNER": "any"], status: 0, says: "who answers: skipped: ")
        },
        "VERSION_ENDPOINT": { tree in
            try tree.write("version", "7.2\n")
            let settings = ["VERSION_ENDPOINT": "/version", "VERSION_FILE": "version"]
            try tree.start()
            try expect(tree, DeployedTree.validate, [], settings, status: 1, says: "/version answered 404")
            try expect(
                tree, DeployedTree.validate, [], ["VERSION_ENDPOINT": "/version"], status: 2, says: "VERSION_FILE")
        },
        "VERSION_FILE": { tree in
            try tree.write("version", "7.2\n")
            try tree.start()
            // What it answers is empty.
            let settings = ["VERSION_ENDPOINT": "/state", "VERSION_FILE": "version"]
            try expect(
                tree, DeployedTree.validate, [], settings, status: 1,
                says: "that it is '', but '\(tree.root)/version' says '7.2'")
        },
        "VERSION_PATTERN": { tree in
            try tree.write("version", "7.2\n")
            try tree.write("src/service.py", Self.sayingItsVersion)
            let settings = [
                "VERSION_ENDPOINT": "/health", "VERSION_FILE": "version",
                "SERVICE_COMMAND": "{python} {root}/src/service.py",
            ]
            let set = settings.flatMap { ["--set", "\($0.key)=\($0.value)"] } + ["--tree", tree.root]
            let pattern = ["--set", "VERSION_PATTERN=exo (\\S+) up"]
            let start = try Command.run(["service", "start"] + set + pattern, in: tree.directory)
            #expect(start.status == 0, "\(start.errors)")
            try expect(
                tree, DeployedTree.validate, pattern, settings, status: 0, says: "who answers: passed")
            try tree.write("version", "7.20\n")
            try expect(
                tree, DeployedTree.validate, pattern, settings, status: 1,
                says: "that it is '7.2', but '\(tree.root)/version' says '7.20'")
        },
        "HEALTH_CHECK_TIMEOUT": { tree in
            try tree.start()
            try tree.write("answer-health", "200 1.5")
            let set = { ["HEALTH_CHECK_TIMEOUT": $0, "RESPONSE_TIME_THRESHOLD": "100000"] }
            try expect(tree, DeployedTree.validate, [], set("0.1"), status: 1, says: "no whole answer in time")
            try expect(tree, DeployedTree.validate, [], set("600"), status: 0, says: "/health answered 200")
        },
    ]

    private static let sayingItsVersion = """
        import os
        from http.server import BaseHTTPRequestHandler, HTTPServer

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Length", "10")
                self.end_headers()
                self.wfile.write(b"exo 7.2 up")

            def log_message(self, *_):
                pass

        HTTPServer(("127.0.0.1", int(os.environ["EXO_API_PORT"])), Handler).serve_forever()
        """

    private static func endpoint(_ key: String, _ check: String) -> Body {
        { tree in
            try tree.start()
            try expect(
                tree, DeployedTree.validate, [], [key: "/nothing"], status: 1,
                says: "\(check): failed: http://127.0.0.1:")
            #expect(tree.count("requests", "nothing") > 0)
        }
    }

    // MARK: the machine

    private static let machine: [String: Body] = [
        "PYTHON": { tree in
            try expect(
                tree, DeployedTree.deploy, ["--backup-only"], ["PYTHON": "/bin/false"], status: 2,
                says: "python: /bin/false: exit 1")
        },
        "PYTHON_VERSION": { tree in
            try expect(
                tree, DeployedTree.deploy, [], ["PYTHON_VERSION": "99.1"], status: 2,
                says: "PYTHON_VERSION asks for 99.1")
        },
        "REQUIRE_VENV": { tree in
            try expect(
                tree, DeployedTree.deploy, [], ["REQUIRE_VENV": "true"], status: 2, says: "set REQUIRE_VENV=false")
        },
        "REQUIRED_MEMORY_GB": { tree in
            try expect(
                tree, DeployedTree.deploy, [], ["REQUIRED_MEMORY_GB": "100000"], status: 2, says: "(REQUIRED_MEMORY_GB)"
            )
        },
        "REQUIRED_DISK_GB": { tree in
            try expect(
                tree, DeployedTree.deploy, [], ["REQUIRED_DISK_GB": "10000000"], status: 2,
                says: "\(10_000_000 << 10) MiB are needed")
        },
    ]
}
