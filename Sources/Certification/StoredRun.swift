import Checkers
import Evidence
import Foundation
public import Reports
import Scenarios

/// Judging what was stored.
public enum StoredRun {
    /// Judges runs' directories and ledgers again, from the evidence alone.
    /// - Throws: `CertificationError` or `EvidenceError` when there is nothing to judge, or it cannot be read.
    public static func judge(_ paths: [String]) throws -> RunSummary {
        let ledgers = try paths.flatMap { try self.ledgers(of: $0) }
        let stored = paths.count == 1 ? storedSummary(paths[0]) : nil
        var sum = RunAccumulator(
            name: stored?.name ?? "check", seed: stored?.seed ?? 0, target: stored?.target,
            startedAt: stored.flatMap { try? Date($0.startedAt, strategy: .iso8601) } ?? Date(), scenarios: [])
        for path in ledgers {
            let records = try LedgerFile.read(path)
            guard case .trial(let header)? = records.first?.event else {
                throw CertificationError("the ledger '\(path)' does not begin with a trial record; is it one of ours?")
            }
            if records.last?.event == .end(End(reason: .interrupted)) { continue }
            let faults = records.count { record in
                if case .fault(let injection) = record.event { return injection.failure == nil }
                return false
            }
            sum.add(
                trial: header.trial, scenario: header.scenario.name, judgement: Judge.judge(records),
                seconds: Double(records.last?.time ?? 0) / 1e9, faultsFired: faults,
                ledger: "ledgers/\(URL(fileURLWithPath: path).lastPathComponent)", weight: TrialWeight(records),
                finding: header.scenario.finding)
        }
        return sum.summary(seconds: stored?.seconds ?? 0, interrupted: stored?.interrupted ?? false)
    }

    /// The ledgers of a run's directory, by name; of a ledger itself only that.
    /// - Throws: `CertificationError` when nothing is there, or the directory holds none.
    public static func ledgers(of path: String) throws(CertificationError) -> [String] {
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
            throw CertificationError(
                "'\(path)' is not there; give a run's directory (reports/<time>-<name>) or ledger files")
        }
        guard isDirectory.boolValue else { return [path] }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "\(path)/ledgers")) ?? []
        let ledgers = names.filter { $0.hasSuffix(".jsonl") }.sorted().map { "\(path)/ledgers/\($0)" }
        if ledgers.isEmpty { throw CertificationError("'\(path)' holds no ledgers (ledgers/*.jsonl)") }
        return ledgers
    }

    private static func storedSummary(_ path: String) -> RunSummary? {
        FileManager.default.contents(atPath: "\(path)/summary.json").flatMap {
            try? JSONDecoder().decode(RunSummary.self, from: $0)
        }
    }
}
