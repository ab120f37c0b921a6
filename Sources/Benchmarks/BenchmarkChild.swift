import Foundation
import Glibc
import Platform

/// Runs a program to its end, and says how long that took and how much memory it had.
struct BenchmarkChild {
    /// What came of it.
    struct Result {
        var milliseconds: Double
        /// The most memory that it had, in MB.
        var memory: Double
    }

    /// Where what it prints goes.
    let log: String
    let environment: [String: String]
    let isStopped: @Sendable () -> Bool

    /// Runs it.
    /// - Throws: `BenchmarkError` when it cannot be started, fails, or is broken off because the benchmark is to stop.
    @discardableResult
    func run(_ command: [String]) throws -> Result {
        let began = Clock.now()
        let (pid, handle) = try start(command)
        var wasAsked = false
        // The wish to stop comes by a flag, so it is looked at five times a second.
        while !Wait.forInput(handle.descriptor, until: Clock.now() + 200_000_000) {
            if isStopped(), !wasAsked {
                wasAsked = true
                kill(pid, SIGTERM)
            }
        }
        let ended = Clock.now()
        var status: Int32 = 0
        var usage = rusage()
        while wait4(pid, &status, 0, &usage) < 0, errno == EINTR {}
        if isStopped() { throw BenchmarkError("interrupted while '\(command.joined(separator: " "))' ran") }
        guard status == 0 else {
            let text = ProcFile.text(log) ?? ""
            throw BenchmarkError(
                "run '\(command.joined(separator: " "))': it ended with the status \(status >> 8 & 0xff); its last words: "
                    + String(text.suffix(2000)))
        }
        return Result(milliseconds: Double(ended - began) / 1e6, memory: Double(usage.ru_maxrss) * 1024 / 1e6)
    }

    /// Starts it.
    func start(_ command: [String]) throws -> (pid: Int32, handle: ProcessHandle) {
        do {
            let output = try Files.open(log, flags: O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
            let pid = try Child.start(
                .init(
                    command: command, environment: environment.map { "\($0.key)=\($0.value)" }, directory: "/",
                    output: output, diesWithParent: true))
            return (pid, try ProcessHandle(pid: pid))
        } catch { throw BenchmarkError("run '\(command.joined(separator: " "))': \(error)") }
    }
}
