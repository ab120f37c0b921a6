import Checkers
import Evidence
import Foundation
import Reports
import Testing

@Suite("Replaying a trial")
struct ReplayCommandTests {
    /// A child that writes as often as a file says; whichever write the seed draws fails.
    private static let scenario = Pair.scenario(
        child:
            "for _ in range(int(open(\"${here}/count\").read())):\n    try: os.write(w, b\"x\")\n    except OSError: pass",
        faults: "{errno: EIO, at: {roles: child, call: write, channel: data, nth: 1..30, times: 2}}",
        extra: "expect: {forbid: {short: \"^got x{38}$\"}}")

    private func injections(_ ledger: String) throws -> [Injection] {
        try LedgerFile.read(ledger).compactMap { record in
            guard case .fault(let injection) = record.event else { return nil }
            return injection
        }
    }

    @Test func theSameInjectionsAtTheSamePlaces() throws {
        let directory = try Command.temporaryDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try Self.scenario.write(toFile: "\(directory)/s.yaml", atomically: true, encoding: .utf8)
        try "40".write(toFile: "\(directory)/count", atomically: true, encoding: .utf8)
        func run(_ arguments: [String], _ reports: String) throws -> (Command, String) {
            let command = try Command.run(
                arguments + ["--python", Command.python, "--reports", reports], in: directory)
            let names = FileManager.default.enumerator(atPath: "\(directory)/\(reports)")?.compactMap { $0 as? String }
            return (command, "\(directory)/\(reports)/\(names?.first { $0.hasSuffix(".jsonl") } ?? "none")")
        }
        let (first, ledger) = try run(["run", "s.yaml", "--seed", "5"], "a")
        #expect(first.status == 1, "\(first.output)\(first.errors)")
        let (again, replayed) = try run(["replay", ledger, "--seed", "77"], "b")
        #expect(again.status == 1, "\(again.output)\(again.errors)")
        #expect(try injections(replayed).map(\.nth) == injections(ledger).map(\.nth))
        #expect(try injections(replayed).map(\.at?.role) == injections(ledger).map(\.at?.role))

        try "0".write(toFile: "\(directory)/count", atomically: true, encoding: .utf8)
        let (vain, _) = try run(["replay", ledger], "c")
        #expect(vain.status == 3, "\(vain.output)")
        #expect(vain.output.contains("(parent[0].child[0], write on data, time "), "\(vain.output)")
    }
}
