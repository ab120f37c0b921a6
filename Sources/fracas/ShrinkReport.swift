import Certification
import Exploration
import Foundation
import Glibc
import Reports
import Scenarios

/// What is said of a shrinking.
struct ShrinkReport: Encodable {
    /// A fault of the smallest schedule.
    struct Part: Encodable {
        let fault: String
        let text: String
        /// How often the failure still comes without it.
        let without: Frequency?
    }

    let signature: String
    let outcome: String
    let schedule: [Part]
    let points: [String]
    let faultsBefore: Int
    let whole: Frequency
    let confirmed: Frequency?
    let trials: Int
    var file: String?

    private let progress: Shrunk.Progress
    /// Whether it was broken off by its budget, where it was.
    private let isOutOfBudget: Bool
    private enum CodingKeys: CodingKey {
        case signature, outcome, schedule, points, faultsBefore, whole, confirmed, trials, file
    }

    init(_ result: Shrunk, _ signature: String, of whole: Scenario, isOutOfBudget: Bool) {
        self.signature = signature
        progress = result.progress
        self.isOutOfBudget = isOutOfBudget && result.progress == .interrupted
        outcome = self.isOutOfBudget ? "outOfBudget" : "\(result.progress)"
        schedule = result.scenario.faults.map {
            Part(fault: $0.name, text: $0.words, without: result.without[$0.name])
        }
        points = result.scenario.points.map { "'\($0.name)' is \($0.point)" }
        faultsBefore = whole.faults.count
        self.whole = result.whole
        confirmed = result.confirmed
        trials = result.trials
    }

    var exitCode: Int32 {
        switch progress {
        case .notReproduced: 3
        case .interrupted: !isOutOfBudget ? 130 : whole.reproduced > 0 ? 1 : 3
        case .smallest, .tooSeldom: (confirmed?.rate ?? 0) >= 0.95 ? 0 : 1
        }
    }

    /// The sentence that the file begins with.
    var summary: String {
        let words = schedule.map(\.text).joined(separator: "; ")
        return schedule.isEmpty ? "\(signature), without any fault." : "\(signature): \(words)."
    }

    var comment: String {
        "From fracas shrink"
            + (confirmed.map { ": reproduced in \($0) trials." }
                ?? (isOutOfBudget ? ", whose budget was spent before this was confirmed." : ", which was interrupted."))
    }

    private var broken: String { isOutOfBudget ? "the budget is spent" : "interrupted" }

    var text: String {
        var lines = [""]
        switch progress {
        case .notReproduced:
            return
                "\nnot reproduced: '\(Terminal.escape(signature))' came in none of \(whole.trials) trials of the whole schedule; "
                + "it may need an order that no fault of the trial forces: fracas explore looks for one"
        case .tooSeldom:
            lines += [
                "'\(signature)' came in only \(whole) trials of the whole schedule: too seldom to tell what it needs; this is all of it"
            ]
        case .interrupted where whole.reproduced == 0: return "\n\(broken) before the failure was seen again"
        case .interrupted: lines += ["\(broken): this gives '\(signature)', but may not be the smallest"]
        case .smallest: lines += ["the smallest schedule that gives '\(signature)':"]
        }
        if schedule.isEmpty { lines.append("  none: it fails without any fault") }
        for part in schedule {
            lines.append("  \(part.text)")
            if let without = part.without { lines.append("    without it: \(without) trials") }
        }
        lines += points.map { "  where \($0)" }
        lines.append("")
        if let confirmed {
            let bound = confirmed.rate >= 0.95 ? "" : ", less often than in 95 % of them"
            lines.append("reproduced in \(confirmed) trials\(bound); of \(faultsBefore) faults \(schedule.count) left")
        }
        lines.append("\(trials) trials in all")
        if let file { lines.append("scenario: \(file)") }
        return lines.map { Terminal.escape($0) }.joined(separator: "\n")
    }
}

/// Progress where each question takes as many trials as it takes.
struct ShrinkProgress {
    private let isTerminal = isatty(2) == 1

    @Sendable func show(_ progress: ShrinkCampaign.Progress) {
        guard isTerminal || progress.isAnswered else { return }
        let faults = progress.question.faultsLeft
        let text =
            "\(faults) \(faults == 1 ? "fault" : "faults") left, \(progress.trials) trials, "
            + "\(Terminal.escape(progress.question.text)): \(progress.frequency)"
        if isTerminal {
            let end = progress.isAnswered ? "\n" : ""
            FileHandle.standardError.write(Data("\r\u{1B}[K\(text.prefix(160))\(end)".utf8))
        } else {
            Output.complain(text)
        }
    }
}
