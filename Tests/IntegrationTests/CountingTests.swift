import Checkers
import Evidence
import Foundation
import Reports
import Testing

/// The ledger's count of calls against the targets' own, on `fracas-load storm`: processes and threads that count each call just
/// before and just after they make it, send each other signals, and fork in every way there is.
@Suite("Counting", .serialized)
struct CountingTests {
    private struct Child {
        let pid: Int32
        let fields: [String: Int]
        let wasKilled: Bool
        /// Calls that were surely made: those that came back and were not broken off by a signal before the kernel handed them
        /// over (`EINTR`, which the target counts).
        var made: Int { fields["after", default: 0] - fields["interrupted", default: 0] }
        /// Calls that may have been made: those that were begun.
        var begun: Int { fields["before", default: 0] - fields["interrupted", default: 0] }
    }

    private func storm(_ arguments: String, faults: String = "", extra: String = "") throws -> (
        children: [Child], total: [String: Int], tallies: [Int32: Int], census: Census?, summary: RunSummary
    ) {
        let directory = try Command.temporaryDirectory()
        let load = URL(fileURLWithPath: Command.program).deletingLastPathComponent().path + "/fracas-load"
        let words = ([load, "storm"] + arguments.split(separator: " ").map(String.init)).map { "\"\($0)\"" }
        try """
        topology:
          processes:
            - {role: storm, command: [\(words.joined(separator: ", "))]}
          children:
            - {role: worker, of: storm, start: fork}
        steps:
          - start: {}
          - wait: {exit: storm}
            within: 100s
        points:
          never: {under: storm, call: getppid, nth: 2000000000}
        \(faults)
        expect: {leaks: {tmp: ["storm"]}, exits: [{roles: worker, allow: [0, KILL]}]}
        limits: {trial: 120s, records: 1000000}
        """.write(toFile: "\(directory)/s.yaml", atomically: true, encoding: .utf8)
        let command = try Command.run(["run", "s.yaml", "--reports", "r", "--format", "json"], in: directory)
        let summary = try JSONDecoder().decode(RunSummary.self, from: Data(command.output.utf8))
        let run = try #require(FileManager.default.contentsOfDirectory(atPath: "\(directory)/r").first)
        let records = try LedgerFile.read("\(directory)/r/\(run)/ledgers/trial-00001-s.jsonl")
        var children: [Child] = []
        var total: [String: Int] = [:]
        var tallies: [Int32: Int] = [:]
        var census: Census?
        for record in records {
            switch record.event {
            case .line(let line):
                let fields = line.text.split(separator: " ").map { $0.split(separator: "=") }
                let numbers = Dictionary(
                    fields.filter { $0.count == 2 }.compactMap { f in Int(f[1]).map { (String(f[0]), $0) } }
                ) { $1 }
                if line.text.hasPrefix("child="), let pid = numbers["pid"] {
                    let killed = line.text.contains("status=signal:9")
                    children.append(Child(pid: Int32(pid), fields: numbers, wasKilled: killed))
                } else if line.text.hasPrefix("total ") {
                    total = numbers
                }
            case .tally(let tally):
                guard let pid = tally.subject?.pid else { continue }
                tallies[pid, default: 0] += tally.calls["getppid", default: 0]
            case .census(let taken): census = taken
            default: break
            }
        }
        if summary.verdict == .held { try? FileManager.default.removeItem(atPath: directory) }
        return (children, total, tallies, census, summary)
    }

    @Test func aMillionCallsOf64ProcessesAreCountedOnce() throws {
        let (children, total, tallies, census, summary) = try storm("64 15700 /tmp/storm --threads 3 --signals --forks")
        #expect(summary.verdict == .held, "\(summary)")
        #expect(children.count == 64)
        for child in children { #expect(tallies[child.pid] == child.made, "pid \(child.pid)") }
        let made = total["after", default: 0] + total["child_after", default: 0] - total["interrupted", default: 0]
        #expect(tallies.values.reduce(0, +) == made)
        #expect(made > 980_000)
        #expect(census?.intercepted == census?.decided)
    }

    /// Whoever is killed has begun at most one call a thread that never reached the kernel.
    @Test(arguments: ["kill: KILL", "kill: {roles: \"worker[*]\", signal: KILL}"])
    func killedProcessesLoseNoCount(kill: String) throws {
        // The second kills every worker that lives at one worker's point: some of them wherever they are.
        let window = kill.contains("roles") ? "nth: 1500" : "probability: 0.0002"
        let roles = kill.contains("roles") ? "worker[7]" : "worker"
        let faults = "faults: [{\(kill), at: {roles: \"\(roles)\", call: getppid, \(window)}}]"
        let (children, _, tallies, census, summary) = try storm(
            "64 4000 /tmp/storm --threads 2 --signals", faults: faults)
        #expect(summary.verdict == .held, "\(summary)")
        #expect(children.count { $0.wasKilled } > 5)
        for child in children {
            let counted = tallies[child.pid, default: 0]
            #expect(counted >= child.made && counted <= child.begun, "pid \(child.pid): \(counted) of \(child.fields)")
            if !child.wasKilled { #expect(counted == child.made) }
        }
        #expect(census?.intercepted == census?.decided)
    }
}
