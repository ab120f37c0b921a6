import Foundation
import Testing

/// A process that listens at the port of a tree's service and answers every request with 200, but is not of the service.
final class Stranger {
    private static let program = """
        import socket, sys, time
        port, sharing = int(sys.argv[1]), sys.argv[2] == "share"
        while True:
            try:
                listener = socket.socket()
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if sharing:
                    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                listener.bind(("127.0.0.1", port))
                listener.listen(50)
                break
            except OSError:
                listener.close()
                time.sleep(0.001)
        print("listens", flush=True)
        while True:
            connection = listener.accept()[0]
            connection.recv(9999)
            connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 1\\r\\n\\r\\nx")
            connection.close()
        """
    private let process = Process()
    private let output = Pipe()
    var pid: pid_t { process.processIdentifier }
    var isRunning: Bool { process.isRunning }

    /// - Parameter file: where its program lies; outside of the tree when none is named.
    /// - Parameter sharing: whether it shares the port with a service that does so too, and is waited for.
    /// - Parameter waits: whether the port must be free, so that it listens when this returns.
    init(_ tree: DeployedTree, at file: String? = nil, sharing: Bool = false, waits: Bool = true) throws {
        let path = file.map { "\(tree.root)/\($0)" } ?? "\(tree.directory)/stranger.py"
        try FileManager.default.createDirectory(
            atPath: URL(fileURLWithPath: path).deletingLastPathComponent().path, withIntermediateDirectories: true)
        try Self.program.write(toFile: path, atomically: true, encoding: .utf8)
        process.executableURL = URL(fileURLWithPath: Command.python)
        process.arguments = [path, "\(tree.port)", sharing ? "share" : "alone"]
        process.currentDirectoryURL = URL(fileURLWithPath: tree.directory)
        process.standardOutput = output
        try process.run()
        if waits { try listens() }
    }

    /// Waits until it listens.
    func listens() throws { _ = try output.fileHandleForReading.text { $0.contains("listens") } }

    func end() {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        process.waitUntilExit()
    }
}

extension DeployedTree {
    /// The service's port.
    var port: Int {
        text("deployment/config/local.conf").firstMatch(of: #/API_PORT="(\d+)"/#).flatMap { Int($0.1) } ?? 0
    }

    /// Waits until the service runs again after a crash.
    /// - Returns: how often it was started again.
    func runsAgain() throws -> Int? {
        while true {
            let status = try fracas("service", "status", "--format", "json")
            let report = try JSONSerialization.jsonObject(with: Data(status.output.utf8)) as? [String: Any]
            if report?["isRunning"] as? Bool == true { return report?["restarts"] as? Int }
            // Given up: then there is nothing to wait for.
            let history = report?["history"] as? String ?? ""
            try #require(history.contains("is about to be started again"), "\(status.output)")
        }
    }
}

extension DeployedTree {
    /// Kills the service's first process, and waits until its keeper has written that down.
    func crash(_ signal: Int32 = SIGKILL) throws {
        let before = text("deployment/.service")
        kill(pid_t(try process()), signal)
        while text("deployment/.service") == before { sched_yield() }
    }
}
