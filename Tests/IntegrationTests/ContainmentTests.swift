import Foundation
import Glibc
import Platform
import Testing

/// Nothing of a trial survives Fracas, however Fracas ends.
@Suite("Containment", .serialized)
struct ContainmentTests {
    /// A topology that would live for ever, with a child that ignores every request to end, and files in every shared place.
    private static let stubborn = """
        topology:
          processes:
            - role: node
              command:
                - ${python}
                - -u
                - -c
                - |
                  import os, signal
                  open('/tmp/fracas-left', 'w'); open('/dev/shm/fracas-left', 'w')
                  for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                      signal.signal(number, signal.SIG_IGN)
                  if os.fork() == 0:
                      os.setsid()
                  print(os.environ['MARKER'])
                  signal.pause()
              env: {MARKER: "${marker}"}
              ready: {log: "${marker}"}
        steps:
          - start: {}
          - stop: {roles: node}
            within: 100s
        limits: {trial: 120s}
        """

    /// The processes whose environment carries the marker.
    private func marked(_ marker: String) -> [Int32] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { Int32($0) }.filter { pid in
            let environment = FileManager.default.contents(atPath: "/proc/\(pid)/environ") ?? Data()
            return environment.range(of: Data("MARKER=\(marker)".utf8)) != nil
        }
    }

    /// Blocks until a process has ended.
    private func waitForEnd(of pid: Int32) {
        guard let handle = try? ProcessHandle(pid: pid) else { return }
        var watched = pollfd(fd: handle.descriptor.raw, events: Int16(POLLIN), revents: 0)
        poll(&watched, 1, 20_000)
    }

    private func start(_ directory: String, _ marker: String) throws -> Process {
        try Self.stubborn.write(toFile: "\(directory)/s.yaml", atomically: true, encoding: .utf8)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Command.program)
        process.arguments = ["run", "s.yaml", "--python", Command.python, "--set", "marker=\(marker)"]
        process.currentDirectoryURL = URL(fileURLWithPath: directory)
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        // Ready is when both processes live: the ledger's directory tells of nothing else to wait for.
        while marked(marker).count < 2, process.isRunning { sched_yield() }
        return process
    }

    @Test(arguments: [SIGKILL, SIGTERM, SIGINT])
    func nothingOutlivesFracas(signal: Int32) throws {
        let directory = try Command.temporaryDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let marker = UUID().uuidString
        let process = try start(directory, marker)
        let victims = marked(marker)
        #expect(victims.count >= 2)
        kill(process.processIdentifier, signal)
        process.waitUntilExit()
        for pid in victims { waitForEnd(of: pid) }
        #expect(marked(marker).isEmpty)
        #expect(!FileManager.default.fileExists(atPath: "/tmp/fracas-left"))
        #expect(!FileManager.default.fileExists(atPath: "/dev/shm/fracas-left"))
        if signal != SIGKILL { #expect(process.terminationStatus == 130) }
    }
}
