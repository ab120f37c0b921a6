import Foundation
import Testing

/// A deployed tree with a service that starts at once and does as files in the tree say:
/// `answer-health` (`-state`, `-root`) holds the status and the seconds until it answers, `stubborn` makes it ignore SIGTERM, what
/// is in `says` is printed at its start, `sharing` makes it share its port with others (`SO_REUSEPORT`). It writes down what it was asked in `requests`.
enum LightTree {
    private static let service = """
        import os, signal, socket, sys, threading, time
        from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
        root = os.path.dirname(os.path.abspath(__file__))
        if os.path.exists(root + "/stubborn"):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        else:
            signal.signal(signal.SIGTERM, lambda *_: os._exit(0))

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                name = self.path.strip("/") or "root"
                with open(root + "/requests", "a") as file:
                    file.write(name + "\\n")
                status, wait = (200, 0) if name in ("health", "state", "root") else (404, 0)
                try:
                    status, wait = open(root + "/answer-" + name).read().split()
                except OSError:
                    pass
                time.sleep(float(wait))
                self.send_response(int(status))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        try:
            print(open(root + "/says").read(), end="", flush=True)
        except OSError:
            pass
        class Server(ThreadingHTTPServer):
            def server_bind(self):
                if os.path.exists(root + "/sharing"):
                    self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                super().server_bind()

        Server(("127.0.0.1", int(os.environ["EXO_API_PORT"])), Handler).serve_forever()
        """

    static func make(_ settings: [String: String] = [:]) throws -> DeployedTree {
        let standard = [
            "SERVICE_COMMAND": "{python} -S -E -I {root}/service.py", "TEST_COMMAND": "/bin/true",
            "HEALTH_CHECK_INTERVAL": "0.05", "RESPONSE_SAMPLES": "1",
        ]
        let tree = try DeployedTree(standard.merging(settings) { $1 })
        try tree.write("service.py", service)
        return tree
    }
}

extension DeployedTree {
    /// Writes a file of the tree.
    func write(_ name: String, _ text: String) throws {
        let url = URL(fileURLWithPath: "\(root)/\(name)")
        try FileManager.default.createDirectory(
            at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try text.write(to: url, atomically: true, encoding: .utf8)
    }

    /// What is in a file of the tree; empty when it is not there.
    func text(_ name: String) -> String {
        FileManager.default.contents(atPath: "\(root)/\(name)").map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    /// Lines of it, or those of them that are one word.
    func count(_ name: String, _ word: String) -> Int { text(name).split(separator: "\n").count { $0 == word } }

    func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: "\(root)/\(name)") }

    /// The newest file of this beginning and ending in the logs, its text.
    func newestLog(_ begin: String, _ end: String) throws -> String {
        let name = try #require(names("logs").last { $0.hasPrefix(begin) && $0.hasSuffix(end) })
        return text("deployment/logs/\(name)")
    }

    /// The process number of the service.
    func process() throws -> Int {
        let status = try fracas("service", "status", "--format", "json")
        let object = try JSONSerialization.jsonObject(with: Data(status.output.utf8)) as? [String: Any]
        return try #require(object?["process"] as? Int, "\(status.output)\(status.errors)")
    }

    /// The service's environment.
    func environment() throws -> [String] {
        let data = try #require(FileManager.default.contents(atPath: "/proc/\(try process())/environ"))
        return data.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    }

    /// What one check of a validation's report, or of any other's, says.
    static func check(_ name: String, of report: [String: Any]) throws -> [String: Any] {
        let checks = try #require(report["checks"] as? [[String: Any]])
        return try #require(checks.first { $0["name"] as? String == name }, "\(checks.compactMap { $0["name"] })")
    }
}
