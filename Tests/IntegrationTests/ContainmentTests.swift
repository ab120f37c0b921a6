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
                - ${here}/stubborn.py
              env: {MARKER: "${marker}"}
              ready: {log: "${marker}"}
              warm: {import: [asyncio]}
        steps:
          - start: {}
          - stop: {roles: node}
            within: 100s
        limits: {trial: 120s}
        """

    private static let program = """
        import os, signal
        open('/tmp/fracas-left', 'w'); open('/dev/shm/fracas-left', 'w')
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        if os.fork() == 0:
            os.setsid()
        print(os.environ['MARKER'], flush=True)
        signal.pause()
        """

    /// The processes whose environment carries the marker.
    private func marked(_ marker: String) -> [Int32] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { Int32($0) }.filter { pid in
            let environment = FileManager.default.contents(atPath: "/proc/\(pid)/environ") ?? Data()
            return environment.range(of: Data("MARKER=\(marker)".utf8)) != nil
        }
    }

    /// Whether a process is one of the target's, by its command line, and no copy of an interpreter that is to become one.
    private func isTarget(_ pid: Int32) -> Bool {
        let line = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline") ?? Data()
        let words = line.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
        return words.count > 1 && words[1].hasSuffix("/stubborn.py")
    }

    /// Blocks until a process has ended.
    private func waitForEnd(of pid: Int32) {
        guard let handle = try? ProcessHandle(pid: pid) else { return }
        var watched = pollfd(fd: handle.descriptor.raw, events: Int16(POLLIN), revents: 0)
        poll(&watched, 1, 20_000)
    }

    private func start(_ directory: String, _ marker: String, _ way: String) throws -> Process {
        try Self.stubborn.write(toFile: "\(directory)/s.yaml", atomically: true, encoding: .utf8)
        try Self.program.write(toFile: "\(directory)/stubborn.py", atomically: true, encoding: .utf8)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Command.program)
        process.arguments = ["run", "s.yaml", "--python", Command.python, "--set", "marker=\(marker)", way]
        process.currentDirectoryURL = URL(fileURLWithPath: directory)
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        // Ready is when both processes of the target live: the ledger's directory tells of nothing else to wait for.
        while marked(marker).filter(isTarget).count < 2, process.isRunning { sched_yield() }
        return process
    }

    /// Of a warm start also the interpreter, and what is a copy of it: the guard and the init.
    @Test(arguments: [SIGKILL, SIGTERM, SIGINT], [("--no-warm", 2), ("--warm", 5)])
    func nothingOutlivesFracas(signal: Int32, way: (option: String, count: Int)) throws {
        let directory = try Command.temporaryDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let marker = UUID().uuidString
        let process = try start(directory, marker, way.option)
        let victims = marked(marker)
        #expect(victims.count >= way.count)
        kill(process.processIdentifier, signal)
        process.waitUntilExit()
        for pid in victims { waitForEnd(of: pid) }
        #expect(marked(marker).isEmpty)
        #expect(!FileManager.default.fileExists(atPath: "/tmp/fracas-left"))
        #expect(!FileManager.default.fileExists(atPath: "/dev/shm/fracas-left"))
        if signal != SIGKILL { #expect(process.terminationStatus == 130) }
    }

    /// An init that does not run cannot end itself: then the guard ends it.
    @Test func initThatIsStoppedIsEnded() throws {
        let directory = try Command.temporaryDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let marker = UUID().uuidString
        let process = try start(directory, marker, "--no-warm")
        let victims = marked(marker)
        let guardian = children(of: process.processIdentifier)
        let inits = guardian.flatMap(children)
        #expect(inits.count == 1)
        for pid in inits { kill(pid, SIGSTOP) }
        kill(process.processIdentifier, SIGTERM)
        process.waitUntilExit()
        #expect(process.terminationStatus == 130)
        for pid in victims + inits + guardian { waitForEnd(of: pid) }
        #expect(marked(marker).isEmpty)
    }

    private func children(of pid: Int32) -> [Int32] {
        let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task")) ?? []
        return threads.flatMap { thread in
            let text = FileManager.default.contents(atPath: "/proc/\(pid)/task/\(thread)/children") ?? Data()
            return String(decoding: text, as: UTF8.self).split(separator: " ").compactMap { Int32($0) }
        }
    }
}
