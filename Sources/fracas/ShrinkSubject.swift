import Certification
import Checkers
import Evidence
import Exploration
import Foundation
import Scenarios

/// What a shrinking starts from: one trial, or those of a run that gave the same finding.
struct ShrinkSubject {
    /// A trial that gave it.
    struct Trial {
        /// Its ledger.
        let ledger: String
        /// Its first record.
        let header: Header
        /// Its whole schedule.
        var whole: Scenario
    }

    /// The trials: of a run those with the fewest faults first.
    var trials: [Trial]
    /// The finding to give again.
    let signature: String

    /// More are not tried: one of so many is as good as there is, or the failure depends on something that no fault forces.
    private static let most = 16

    /// Reads a ledger, or a run's directory.
    /// - Parameter signature: the finding; nil for the first of the ledger, or the one that most of the run's trials gave.
    init(_ path: String, signature: String?) throws {
        var isDirectory: ObjCBool = false
        if FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory), isDirectory.boolValue {
            try self.init(run: path, signature: signature)
        } else {
            try self.init(ledger: path, signature: signature)
        }
    }

    private init(ledger: String, signature: String?) throws {
        let records = try LedgerFile.read(ledger)
        guard let header = Self.header(ofWhole: records) else {
            throw Complaint(
                "the ledger '\(ledger)' has no end: its trial was interrupted, or the file cut short; take a whole one")
        }
        let judgement = Judge.judge(records)
        guard let first = judgement.violations.first else {
            throw Complaint(
                "the trial of '\(ledger)' was \(judgement.verdict.rawValue): there is no failure to find the cause of; take the ledger of one that was violated"
            )
        }
        let known = judgement.violations.map(\.signature)
        if let signature, !known.contains(signature) {
            throw Complaint("the trial of '\(ledger)' has no finding '\(signature)'; it has \(Self.list(known))")
        }
        self.signature = signature ?? first.signature
        trials = [Trial(ledger: ledger, header: header, whole: try Replay.scenario(of: records))]
    }

    private init(run path: String, signature: String?) throws {
        var found: [(signatures: [String], trial: Trial)] = []
        for ledger in try StoredRun.ledgers(of: path) {
            // A run may have been interrupted: what has no end, or is cut short, is left out as the held ones are.
            guard let records = try? LedgerFile.read(ledger), let header = Self.header(ofWhole: records) else {
                continue
            }
            let signatures = Judge.judge(records).violations.map(\.signature)
            guard !signatures.isEmpty else { continue }
            found.append((signatures, Trial(ledger: ledger, header: header, whole: try Replay.scenario(of: records))))
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
            ($0.whole.faults.count, $0.header.trial) < ($1.whole.faults.count, $1.header.trial)
        }
        trials = Array(fitting.prefix(Self.most))
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
