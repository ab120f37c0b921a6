import Certification
import Checkers
import Evidence
import Exploration
import Foundation
import Reports
import Scenarios

/// What a shrinking starts from: one trial, or those of a run that gave the same finding.
struct ShrinkSubject {
    /// A trial that gave it.
    struct Trial {
        /// How much was done to it.
        let weight: TrialWeight
        /// Its ledger.
        let ledger: String
        /// Its first record.
        let header: Header
        /// Its whole schedule.
        var whole: Scenario
    }

    /// The trials: of a run those with the fewest and least violent faults first.
    var trials: [Trial]
    /// The finding to give again.
    let signature: String

    /// More are not tried: one of so many is as good as there is, or the failure depends on something that no fault forces.
    private static let most = 16

    /// Reads a ledger, or a run's directory.
    /// - Parameters:
    ///   - signature: the finding; nil for the first of the ledger, or the one that most of the run's trials gave.
    ///   - ignored: findings that are known, and not taken where nobody names one.
    init(_ path: String, signature: String?, ignoring ignored: [String]) throws {
        var isDirectory: ObjCBool = false
        if FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory), isDirectory.boolValue {
            try self.init(run: path, signature, ignored)
        } else {
            try self.init(ledger: path, signature, ignored)
        }
    }

    private init(ledger: String, _ signature: String?, _ ignored: [String]) throws {
        let records = try LedgerFile.read(ledger)
        guard let header = Self.header(ofWhole: records) else {
            throw Complaint(
                "the ledger '\(ledger)' has no end: its trial was interrupted, or the file cut short; take a whole one")
        }
        let judgement = Judge.judge(records)
        let all = judgement.violations.map(\.signature)
        let known = signature == nil ? all.filter { !Self.isAmong(ignored, $0) } : all
        guard let first = known.first else {
            throw Complaint(
                "the trial of '\(ledger)' was \(judgement.verdict.rawValue)\(all.isEmpty ? "" : " by what is ignored"): there is no failure to find the cause of; take the ledger of one that was violated"
            )
        }
        if let signature, !known.contains(signature) {
            throw Complaint("the trial of '\(ledger)' has no finding '\(signature)'; it has \(Self.list(known))")
        }
        self.signature = signature ?? first
        trials = [
            Trial(
                weight: TrialWeight(records), ledger: ledger, header: header, whole: try Replay.scenario(of: records))
        ]
    }

    private init(run path: String, _ signature: String?, _ ignored: [String]) throws {
        var found: [(signatures: [String], trial: Trial)] = []
        for ledger in try StoredRun.ledgers(of: path) {
            // A run may have been interrupted: what has no end, or is cut short, is left out as the held ones are.
            guard let records = try? LedgerFile.read(ledger), let header = Self.header(ofWhole: records) else {
                continue
            }
            let signatures = Judge.judge(records).violations.map(\.signature)
                .filter { signature != nil || !Self.isAmong(ignored, $0) }
            guard !signatures.isEmpty else { continue }
            let trial = Trial(
                weight: TrialWeight(records), ledger: ledger, header: header, whole: try Replay.scenario(of: records))
            found.append((signatures, trial))
        }
        let known = found.flatMap { Set($0.signatures).sorted() }
        guard let most = known.max(by: { one, other in known.count { $0 == one } < known.count { $0 == other } })
        else {
            throw Complaint("'\(path)' has no trial that was violated among its ledgers (ledgers/*.jsonl)")
        }
        if let signature, !known.contains(signature) {
            throw Complaint("no trial of '\(path)' has a finding '\(signature)'; they have \(Self.list(known))")
        }
        let wanted = signature ?? most
        self.signature = wanted
        let fitting = found.filter { $0.signatures.contains(wanted) }.map(\.trial).sorted {
            ($0.weight, $0.whole.faults.count, $0.header.trial) < ($1.weight, $1.whole.faults.count, $1.header.trial)
        }
        trials = Array(fitting.prefix(Self.most))
    }

    private static func isAmong(_ patterns: [String], _ signature: String) -> Bool {
        patterns.contains { KnownFinding.matches($0, signature) }
    }

    /// The first record of a trial that came to its end; nil when it was interrupted, or its ledger is cut short.
    private static func header(ofWhole records: [Record]) -> Header? {
        guard case .end(let end)? = records.last?.event, end.reason != .interrupted,
            case .trial(let header)? = records.first?.event
        else { return nil }
        return header
    }

    private static func list(_ signatures: [String]) -> String {
        Set(signatures).sorted().map { "'\($0)'" }.joined(separator: ", ")
    }
}
