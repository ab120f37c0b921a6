import Foundation
import Testing

/// Success is about the service of the tree, and of the release that is in it: not about whoever answers at its port.
@Suite("Whose health it is", .serialized)
struct DeploymentHealthTests {
    /// Starts a worker in a session of its own and with an empty environment, which serves what `version` says, and waits.
    private static let start = """
        import os, subprocess, sys, time
        here = os.path.dirname(os.path.abspath(__file__))
        port = "EXO_API_PORT=" + os.environ["EXO_API_PORT"]
        subprocess.Popen(["env", "-i", port, "setsid", sys.executable, "-S", here + "/worker.py"])
        time.sleep(100000)
        """
    private static let worker = """
        import os, time
        from http.server import BaseHTTPRequestHandler, HTTPServer
        here = os.path.dirname(os.path.abspath(__file__))
        body = open(here + "/version").read().strip().encode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        if os.path.exists(here + "/orphan") and os.fork():
            os._exit(0)
        class Server(HTTPServer):
            allow_reuse_address = True
        Server(("127.0.0.1", int(os.environ["EXO_API_PORT"])), Handler).serve_forever()
        """

    private func workers(_ settings: [String: String] = [:]) throws -> DeployedTree {
        let command = ["SERVICE_COMMAND": "{python} -S {root}/src/start.py", "FORCE_STOP": "true"]
        let tree = try LightTree.make(command.merging(settings) { $1 })
        for (place, version) in [("src", "old"), ("releases/fixed/src", "new")] {
            try tree.write("\(place)/start.py", Self.start)
            try tree.write("\(place)/worker.py", Self.worker)
            try tree.write("\(place)/version", version)
        }
        return tree
    }

    private func answer(_ tree: DeployedTree) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/curl")
        process.arguments = ["-s", "-m", "10", "http://127.0.0.1:\(tree.port)/health"]
        return try process.runToEnd().text
    }

    /// It takes the port in the instant in which the old service has left it.
    @Test func aStrangerTakesThePort() throws {
        let tree = try LightTree.make()
        defer { tree.remove() }
        let before = try tree.hash()
        try tree.start()
        let stranger = try Stranger(tree, waits: false)
        defer { stranger.end() }
        let deploy = try tree.run(DeployedTree.deploy)
        #expect(deploy.status == 1, "\(deploy.text)")
        #expect(deploy.text.contains("port \(tree.port) is held by process \(stranger.pid) ("), "\(deploy.text)")
        #expect(deploy.text.contains("stranger.py"), "\(deploy.text)")
        #expect(try tree.hash() == before)
        #expect(!tree.exists("deployment/.journal") && !tree.exists("deployment/.staging"))
        #expect(stranger.isRunning, "what is not the service's is left alone")
        // Nor is it healthy in any other eyes, and once the port is free all is well.
        #expect(try tree.run(DeployedTree.validate).status == 1)
        stranger.end()
        try tree.start()
        #expect(try tree.run(DeployedTree.deploy).status == 0)
    }

    /// A worker of the old release that the supervisor's token is not on: it is found as what its keeper has below it.
    @Test(arguments: [false, true]) func anOldWorkerOfItsOwnSession(isOrphan: Bool) throws {
        let tree = try workers()
        defer { tree.remove() }
        if isOrphan { for place in ["src", "releases/fixed/src"] { try tree.write("\(place)/orphan", "") } }
        try tree.start()
        #expect(try answer(tree) == "old")
        let deploy = try tree.run(DeployedTree.deploy)
        #expect(deploy.status == 0, "\(deploy.text)")
        #expect(try answer(tree) == "new")
        let rollback = try tree.run(DeployedTree.rollback, ["latest"])
        #expect(rollback.status == 0, "\(rollback.text)")
        #expect(try answer(tree) == "old")
        #expect(try tree.fracas("service", "stop").status == 0)
        #expect(try answer(tree).isEmpty, "nothing of it is left")
    }

    /// What an earlier start has left, and no supervisor knows of, is ended where it runs from the tree; from elsewhere it is not.
    @Test func whatIsLeftAtThePort() throws {
        let tree = try LightTree.make()
        defer { tree.remove() }
        let left = try Stranger(tree, at: "src/left.py")
        defer { left.end() }
        try tree.start()
        #expect(!left.isRunning)
        #expect(try tree.run(DeployedTree.validate).status == 0)
        #expect(try tree.fracas("service", "stop").status == 0)
        let stranger = try Stranger(tree)
        defer { stranger.end() }
        let start = try tree.fracas("service", "start")
        #expect(start.status == 2 && start.errors.contains("is held by process \(stranger.pid) ("), "\(start.errors)")
        #expect(stranger.isRunning)
    }

    /// It runs, and from the tree, but has another port: so nobody is kept from anything.
    @Test func aStrangerElsewhere() throws {
        let tree = try LightTree.make()
        defer { tree.remove() }
        let other = try LightTree.make()
        defer { other.remove() }
        let stranger = try Stranger(other)
        defer { stranger.end() }
        try tree.start()
        #expect(try tree.run(DeployedTree.deploy).status == 0)
        #expect(stranger.isRunning)
    }

    /// The release crashes once it has answered a few times: that is no success, and the old release is back.
    @Test func aCrashWithinTheSoak() throws {
        let tree = try workers()
        defer { tree.remove() }
        try tree.start()
        let before = try tree.hash()
        let crashing = Self.worker.replacingOccurrences(
            of: "self.wfile.write(body)",
            with:
                "self.wfile.write(body); Handler.n = getattr(Handler, 'n', 0) + 1; Handler.n < 20 or os.kill(os.getppid(), 9)"
        )
        try tree.write("releases/fixed/src/worker.py", crashing)
        let deploy = try tree.run(DeployedTree.deploy, [], ["HEALTH_SOAK": "86400"])
        #expect(deploy.status == 1, "\(deploy.text)")
        #expect(
            deploy.text.contains("the service ended within HEALTH_SOAK (86400 s) after it was healthy"),
            "\(deploy.text)")
        #expect(try tree.hash() == before)
        #expect(try answer(tree) == "old")
        #expect(!tree.exists("deployment/.journal"))
    }

    /// It never is healthy for long enough: then it is not healthy.
    @Test func anAnswerThatComesAndGoes() throws {
        let tree = try workers()
        defer { tree.remove() }
        try tree.start()
        let flapping = Self.worker.replacingOccurrences(
            of: "self.send_response(200)",
            with: "Handler.n = getattr(Handler, 'n', 0) + 1; self.send_response(200 if Handler.n % 3 else 503)")
        try tree.write("releases/fixed/src/worker.py", flapping)
        let settings = ["HEALTH_SOAK": "86400", "HEALTH_CHECK_RETRIES": "20", "HEALTH_CHECK_INTERVAL": "0.01"]
        let deploy = try tree.run(DeployedTree.deploy, [], settings)
        #expect(deploy.status == 1, "\(deploy.text)")
        #expect(deploy.text.contains("answered 503, within HEALTH_SOAK after it was healthy"), "\(deploy.text)")
        #expect(try answer(tree) == "old")
    }

    /// The service's command names another tree: what is served then is not the release that was deployed.
    @Test func aServiceOfAnotherTree() throws {
        let tree = try workers()
        defer { tree.remove() }
        let other = "\(tree.directory)/other"
        try FileManager.default.copyItem(atPath: "\(tree.root)/src", toPath: other)
        try Self.start.replacingOccurrences(of: "time.sleep", with: "os.chdir('/'); time.sleep").write(
            toFile: "\(other)/start.py", atomically: true, encoding: .utf8)
        try "import os; os.chdir('/')\n\(Self.worker)".write(
            toFile: "\(other)/worker.py", atomically: true, encoding: .utf8)
        let set = ["SERVICE_COMMAND=/usr/bin/python3 \(other)/start.py", "HEALTH_CHECK_RETRIES=20"]
        let start = try Command.run(
            ["service", "start", "--tree", tree.root] + set.flatMap { ["--set", $0] }, in: tree.directory)
        #expect(start.status == 2, "\(start.output)")
        #expect(start.errors.contains("shows no sign of being of the tree '\(tree.root)'"), "\(start.errors)")
    }
}
