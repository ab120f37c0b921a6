import Checkers
import Evidence
import Foundation
public import Reports
import Scenarios

/// Judging what was stored.
public enum StoredRun {
    /// Judges runs' directories and ledgers again, from the evidence alone. Of a directory every ledger is judged that can be; those that
    /// were cut short, or cannot be read, are listed, and make the run inconclusive.
    /// - Throws: `CertificationError` or `EvidenceError` when there is nothing to judge, or a ledger given by its name cannot be read.
    public static func judge(_ paths: [String]) throws -> RunSummary {
        let stored = paths.count == 1 ? storedSummary(paths[0]) : nil
        var sum = accumulator(stored)
        var parts = stored?.parts ?? []
        for path in paths {
            let isDirectory = isDirectory(path)
            if isDirectory, storedSummary(path) == nil { parts.append(unreported(path)) }
            for ledger in try ledgers(of: path) { try add(ledger, to: &sum, mayBeCut: isDirectory) }
            if isDirectory { addDiscarded(of: path, storedSummary(path), to: &sum) }
        }
        if paths.count == 1, let explored = try exploration(below: paths[0]) {
            parts = parts.filter { $0.name != "exploration" } + [Certificate.part(of: explored)].compactMap(\.self)
        }
        var summary = sum.summary(seconds: stored?.seconds ?? 0, interrupted: stored?.interrupted ?? false)
        summary.parts = parts.isEmpty ? nil : parts
        summary.decide()
        return summary
    }

    /// What a stored run came to before it is gone on with: its trials, and how long they took.
    static func earlier(_ directory: RunDirectory, _ kind: RunSummary.Kind?) throws -> (RunAccumulator, Double) {
        let stored = storedSummary(directory.path)
        var sum = accumulator(stored, kind)
        for ledger in (try? ledgers(of: directory.path)) ?? [] { try add(ledger, to: &sum, mayBeCut: true) }
        addDiscarded(of: directory.path, stored, to: &sum)
        return (sum, stored?.seconds ?? 0)
    }

    private static func accumulator(_ stored: RunSummary?, _ kind: RunSummary.Kind? = nil) -> RunAccumulator {
        RunAccumulator(
            name: stored?.name ?? "check", seed: stored?.seed ?? 0, target: stored?.target,
            startedAt: stored.flatMap { try? Date($0.startedAt, strategy: .iso8601) } ?? Date(), scenarios: [],
            kind: stored?.kind ?? kind)
    }

    /// Judges one ledger.
    /// - Parameter mayBeCut: whether one that cannot be judged is counted as such in place of an error.
    private static func add(_ path: String, to sum: inout RunAccumulator, mayBeCut: Bool) throws {
        let name = "ledgers/\(URL(fileURLWithPath: path).lastPathComponent)"
        let records: [Record]
        do { records = try LedgerFile.read(path) } catch {
            guard mayBeCut else { throw error }
            return sum.addUnread("\(name): \(error)")
        }
        guard case .trial(let header)? = records.first?.event else {
            guard mayBeCut else {
                throw CertificationError("the ledger '\(path)' does not begin with a trial record; is it one of ours?")
            }
            return sum.addUnread(
                "\(name) is cut short before its first record: its trial was under way when the run was ended")
        }
        if mayBeCut, records.last?.event == .end(End(reason: .interrupted)) { return }
        let faults = records.count { record in
            if case .fault(let injection) = record.event { return injection.failure == nil }
            return false
        }
        var judgement = Judge.judge(records)
        judgement.problems = judgement.problems.map { $0 == HarnessChecker.cutShort ? "\($0) (\(name))" : $0 }
        sum.add(
            trial: header.trial, scenario: header.scenario.name, judgement: judgement,
            seconds: Double(records.last?.time ?? 0) / 1e9, faultsFired: faults, ledger: name,
            weight: TrialWeight(records), finding: header.scenario.finding)
    }

    /// Adds the trials that held and of which no ledger was kept: what the run wrote down of each, or in the end of all.
    private static func addDiscarded(of path: String, _ stored: RunSummary?, to sum: inout RunAccumulator) {
        let tried = TriedJournal.read(path)
        guard tried.isEmpty else {
            let held = tried.filter { $0.verdict == .held }
            for (scenario, trials) in Dictionary(grouping: held, by: { $0.scenario ?? "" }) {
                let names = trials.map { RunDirectory(existing: path).ledgerName(trial: $0.trial, scenario: scenario) }
                let missing = names.count { !FileManager.default.fileExists(atPath: "\(path)/\($0)") }
                sum.addDiscarded(missing, scenario: scenario)
            }
            return
        }
        for scenario in stored?.scenarios ?? [] { sum.addDiscarded(scenario.discarded ?? 0, scenario: scenario.name) }
    }

    /// A certification's exploration, where there is one.
    private static func exploration(below path: String) throws -> RunSummary? {
        let below = "\(path)/explore"
        guard isDirectory(path), isDirectory(below), storedSummary(below) != nil else { return nil }
        return try judge([below])
    }

    private static func unreported(_ path: String) -> RunPart {
        RunPart(
            name: "report", verdict: .inconclusive,
            text: "'\(path)' has no summary.json: its run was ended before it could write one, or it is none of ours")
    }

    private static func isDirectory(_ path: String) -> Bool {
        var isDirectory: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && isDirectory.boolValue
    }

    /// The ledgers of a run's directory, by name; of a ledger itself only that.
    /// - Throws: `CertificationError` when nothing is there, or the directory is no run's.
    public static func ledgers(of path: String) throws(CertificationError) -> [String] {
        guard FileManager.default.fileExists(atPath: path) else {
            throw CertificationError(
                "'\(path)' is not there; give a run's directory (reports/<time>-<name>) or ledger files")
        }
        guard isDirectory(path) else { return [path] }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "\(path)/ledgers")) ?? []
        let ledgers = names.filter { $0.hasSuffix(".jsonl") }.sorted().map { "\(path)/ledgers/\($0)" }
        // A run of which no ledger was kept may have held all the same.
        if ledgers.isEmpty, storedSummary(path) == nil {
            throw CertificationError("'\(path)' holds no ledgers (ledgers/*.jsonl)")
        }
        return ledgers
    }

    /// The seed of a stored run; nil where it has left none.
    public static func seed(_ path: String) -> UInt64? { storedSummary(path)?.seed }

    static func storedSummary(_ path: String) -> RunSummary? {
        FileManager.default.contents(atPath: "\(path)/summary.json").flatMap {
            try? JSONDecoder().decode(RunSummary.self, from: $0)
        }
    }
}
