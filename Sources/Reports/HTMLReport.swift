import Checkers
import Evidence
import Foundation
import Mustache

/// The report a person reads: one self-contained file, the verdict first.
enum HTMLReport {
    static func text(_ summary: RunSummary, directory: RunDirectory) throws(ReportError) -> String {
        do {
            return try MustacheTemplate(string: HTMLTemplate.text).render(context(summary, directory))
        } catch { throw ReportError("fill in the report's template: \(error)") }
    }

    private static func context(_ summary: RunSummary, _ directory: RunDirectory) -> [String: Any] {
        var context: [String: Any] = [
            "name": summary.name, "verdict": summary.verdict.rawValue, "trials": summary.trials, "held": summary.held,
            "violated": summary.violated, "inconclusive": summary.inconclusive, "seconds": round(summary.seconds),
            "rate": summary.seconds > 0 ? round(Double(summary.trials) / summary.seconds) : "–",
            "seed": String(summary.seed), "startedAt": summary.startedAt, "interrupted": summary.interrupted,
            "bound": summary.bound.map { "\(round($0 * 100, 100)) %" } ?? "not known: no trial was conclusive",
            "findings": summary.findings.map { finding($0, summary, directory) },
            "hasFindings": !summary.findings.isEmpty,
            "setAside": (summary.setAside ?? []).map {
                ["text": Terminal.escape("\($0.signature): \($0.why ?? "known")"), "count": String($0.count)]
            }, "hasSetAside": summary.setAside?.isEmpty == false, "scenarios": summary.scenarios.map(scenario),
            "problems": summary.problems.map { ["text": Terminal.escape($0.text), "count": String($0.count)] },
            "hasProblems": !summary.problems.isEmpty,
            "notes": summary.notes.map { ["text": Terminal.escape($0.text), "count": String($0.count)] },
            "hasNotes": !summary.notes.isEmpty,
            "notChecked": summary.notChecked.map { ["text": $0.text, "count": String($0.count)] },
            "hasNotChecked": !summary.notChecked.isEmpty,
        ]
        if let target = summary.target {
            context["target"] = ["path": target.path, "hash": target.treeHash, "release": target.release ?? ""]
        }
        return context
    }

    private static func finding(_ finding: Finding, _ summary: RunSummary, _ directory: RunDirectory) -> [String: Any] {
        let records = finding.ledger.flatMap { try? LedgerFile.read("\(directory.path)/\($0)") } ?? []
        let proof = Set(finding.records)
        let events = Timeline.events(records, proof: proof).map { event in
            ["seq": String(event.seq), "time": event.time, "kind": event.kind, "text": event.text]
        }
        return [
            "signature": Terminal.escape(finding.signature), "checker": finding.checker,
            "message": Terminal.escape(finding.message), "count": finding.count, "trials": summary.trials,
            "firstTrial": finding.firstTrial, "simplestTrial": finding.simplestTrial ?? finding.firstTrial,
            "causes": Terminal.escape(
                (finding.causes ?? []).map { "\($0.count) × \($0.text)" }.joined(separator: "; ")),
            "symptomOf": finding.symptomOf.map { [Terminal.escape($0)] } ?? [],
            "scenarios": finding.scenarios.joined(separator: ", "),
            "ledger": finding.ledger ?? "", "svg": records.isEmpty ? "" : Timeline(records, proof: proof).svg(),
            "events": events,
        ]
    }

    private static func scenario(_ scenario: ScenarioSummary) -> [String: Any] {
        [
            "name": scenario.name, "trials": scenario.trials, "held": scenario.held, "violated": scenario.violated,
            "inconclusive": scenario.inconclusive, "faults": scenario.faultsFired,
            "mean": scenario.trials > 0 ? round(scenario.seconds / Double(scenario.trials), 100) : "–",
            "class": scenario.violated > 0
                ? "violated" : scenario.held == scenario.trials && scenario.trials > 0 ? "held" : "inconclusive",
        ]
    }

    private static func round(_ value: Double, _ parts: Double = 10) -> String {
        String((value * parts).rounded() / parts)
    }
}
