import Foundation
import Glibc
import Platform

/// Running a command to its end, with a deadline; it dies with us if we die first, and what is left in its process group dies
/// with it. Blocks the calling thread.
enum CommandRunner {
    /// What came of a command.
    struct Result: Sendable {
        /// Its exit code; 128 and the signal's number when a signal ended it; nil when its time was over.
        var status: Int32?
        /// What it printed, on either stream, the last 16 MiB of it.
        var output: String

        /// As a message quotes it.
        var says: String {
            let last = output.split(whereSeparator: \.isNewline).suffix(3).map { Text.plain(String($0.prefix(300))) }
            let end = status.map { "exit \($0)" } ?? "its time was over"
            return last.isEmpty ? end : "\(end): \(last.joined(separator: " | "))"
        }
    }

    /// The program that a command's first word means: as a shell would find it.
    /// - Throws: `DeploymentError` when there is none.
    static func program(_ command: [String], in directory: String) throws(DeploymentError) -> String {
        let name = command.first ?? ""
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
        let candidates =
            name.hasPrefix("/")
            ? [name]
            : name.contains("/") ? ["\(directory)/\(name)"] : path.split(separator: ":").map { "\($0)/\(name)" }
        guard let found = candidates.first(where: { access($0, X_OK) == 0 }) else {
            throw DeploymentError(
                .environment,
                "the program '\(Text.plain(name))' is not there or not executable; looked at \(candidates.prefix(8).joined(separator: ", "))"
            )
        }
        return found
    }

    /// Runs it.
    /// - Parameter deadline: on the monotonic clock, in nanoseconds; then it and all of its group are killed.
    /// - Parameter input: what it reads on its standard input; nil for nothing.
    /// - Parameter isStopped: asked twice a second; when it says so it is killed likewise.
    /// - Throws: `DeploymentError` when it cannot be started.
    static func run(
        _ command: [String], in directory: String, environment: [String: String] = [:], input: Descriptor? = nil,
        deadline: Int64, isStopped: () -> Bool = { false }
    ) throws(DeploymentError) -> Result {
        let settings = ProcessInfo.processInfo.environment.merging(environment) { _, given in given }
        let program = try program(command, in: directory)
        do {
            let output = try Descriptor.pipe()
            let pid = try Child.start(
                .init(
                    command: [program] + command.dropFirst(), environment: settings.map { "\($0.key)=\($0.value)" },
                    directory: directory, output: output.write, diesWithParent: true, input: input))
            defer { withExtendedLifetime(output.write) {} }
            do {
                let handle = try ProcessHandle(pid: pid)
                try output.read.setNonBlocking()
                return collect(pid, handle, output.read, deadline, isStopped)
            } catch {
                // Without a handle it could not be waited for in time.
                Glibc.kill(-pid, SIGKILL)
                Spawn.wait(pid)
                throw error
            }
        } catch {
            throw DeploymentError(.environment, "run '\(program)' in '\(directory)': \(error)")
        }
    }

    private static func collect(
        _ pid: Int32, _ handle: ProcessHandle, _ output: Descriptor, _ deadline: Int64, _ isStopped: () -> Bool
    ) -> Result {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        func drain() {
            while let count = try? chunk.withUnsafeMutableBytes({ try output.read(into: $0) }), count > 0 {
                bytes += chunk[..<count]
                if bytes.count > 32 << 20 { bytes.removeFirst(bytes.count - (16 << 20)) }
            }
        }
        var isOver = false
        // Its own end is what counts: something it left behind may keep its output open. Our end of the pipe's other side is
        // open too, so there is no end of file to spin on.
        while true {
            let next = min(deadline, Clock.now() + 500_000_000)
            let ready = Wait.forInput([handle.descriptor, output], until: next)
            if ready == 0 { break }
            isOver = isStopped() || Clock.now() >= deadline
            if isOver { break }
            drain()
        }
        // It leads its group and was not reaped, so the number cannot mean another one yet: what it left there ends with it.
        if !isOver { _ = Wait.forInput(handle.descriptor, until: .max) }
        Glibc.kill(-pid, SIGKILL)
        _ = Wait.forInput(handle.descriptor, until: .max)
        drain()
        var status = Child.reap(pid)
        while status == nil { status = Child.reap(pid) }
        let code = status.map { $0 & 0x7f == 0 ? ($0 >> 8) & 0xff : 128 + ($0 & 0x7f) }
        return Result(status: isOver ? nil : code, output: String(decoding: bytes.suffix(16 << 20), as: UTF8.self))
    }
}
