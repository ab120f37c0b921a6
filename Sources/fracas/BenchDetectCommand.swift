import ArgumentParser
import Benchmarks
import Certification
import Exploration
import Foundation
import Reports
import Scenarios

/// `fracas bench detect`.
struct BenchDetectCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "detect", abstract: "Measures how soon each method finds each known race.",
        discussion: """
            Each control is put into the target, and each method looks for it with each seed until the first violation or a cap. The \
            release without a control is a row of its own, in which nothing may be found. docs/detection.md says what the methods are.

              fracas bench detect --target fixtures/exo --release fixed
              fracas bench detect --target fixtures/exo --release fixed --only close-vs-send --seeds 3 --cap 10s
              fracas bench detect --target fixtures/exo --release fixed --resume reports/20260101-120000-detect
            """)

    @Argument(help: "The base scenarios: files, or directories of them; their own faults are left out.")
    var scenarios = ["scenarios/explore"]
    @Option(help: "The directory of controls.")
    var controls = "fixtures/races"
    @Option(
        parsing: .upToNextOption,
        help: "Only these rows: controls, and the release's name (or 'no-control') for the row without one.")
    var only: [String] = []
    @Option(
        parsing: .upToNextOption, help: "Only these methods: plain, random, strace, sweep, inversion, explore.",
        transform: Self.method)
    var methods: [DetectionMethod] = DetectionMethod.allCases
    @Option(help: "How many seeds, an odd number: the median is the middle one.")
    var seeds = 11
    @Option(help: "The longest that one run may look.")
    var cap = "20s"
    @Option(help: "The most trials of one run.")
    var capTrials = 200
    @Option(help: "The directory of a measurement to go on with; all other options must be the same.")
    var resume: String?
    @OptionGroup var options: RunOptions

    private static func method(_ text: String) throws -> DetectionMethod {
        guard let method = DetectionMethod(rawValue: text) else {
            let known = DetectionMethod.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("--methods takes \(known), not '\(text)'")
        }
        return method
    }

    func validate() throws {
        if seeds < 1 || seeds % 2 == 0 { throw ValidationError("--seeds must be odd, not \(seeds)") }
        if capTrials < 1 { throw ValidationError("--cap-trials must be at least 1, not \(capTrials)") }
        guard let span = Span(parsing: cap), span.upper > .zero else {
            throw ValidationError("--cap takes a time such as 20s, not '\(cap)'")
        }
        if options.control != nil {
            throw ValidationError("--control puts one race into the tree; bench detect takes --controls and --only")
        }
        if Set(methods).count < methods.count { throw ValidationError("--methods names one twice") }
    }

    func run() async throws {
        guard let target = options.target else {
            throw Complaint("bench detect needs --target: the tree to put races into")
        }
        do {
            var (campaign, identity) = try options.prepare("detect", paths: scenarios)
            // As explore does; warm ones are more.
            if options.jobs == nil { campaign.jobs *= ExploreCampaign.jobsPerCore(isWarm: false) }
            let warmFactor = ExploreCampaign.jobsPerCore(isWarm: true) / ExploreCampaign.jobsPerCore(isWarm: false)
            let settings = DetectionSettings(
                seeds: seeds, firstSeed: options.seed ?? 1,
                capSeconds: (Span(parsing: cap)?.upper ?? .zero) / .seconds(1), capTrials: capTrials,
                jobs: campaign.jobs, warmJobs: campaign.warm.map { _ in campaign.jobs * warmFactor },
                scenarios: campaign.scenarios.map(\.name), tree: identity?.treeHash)
            let clean = options.release ?? "no-control"
            let rows = try rows(target, clean, campaign.target, identity)
            let directory =
                try resume.map(RunDirectory.init(existing:))
                ?? RunDirectory(below: options.reports, name: "detect", time: Date())
            guard ScenarioFiles.isDirectory(directory.path) else {
                throw Complaint("--resume: '\(directory.path)' is not a directory")
            }
            let runner = DetectCampaign(
                rows: rows, bases: campaign.scenarios, methods: methods, settings: settings, campaign: campaign)
            let store = try DetectionStore(in: directory, settings: settings)
            let runs = try await runner.run(
                store, directory: directory, stop: Interruption.stop, progress: { Output.complain(DetectText.text($0)) }
            )
            let report = DetectionReport(runs, rows: rows.map(\.name), clean: clean, settings: settings)
            try directory.write("detection.json", try Output.encoded(report) + "\n")
            print(options.format == .json ? try Output.encoded(report) : DetectText.text(report, directory.path))
        } catch let error as ExplorationError { throw Complaint("\(error)") } catch let error as CertificationError {
            throw Complaint("\(error)")
        } catch let error as ReportError { throw Complaint("\(error)") }
        if Interruption.stop.isSet { throw ExitCode(130) }
    }

    private func rows(
        _ target: String, _ clean: String, _ tree: TargetTree?, _ identity: TargetIdentity?
    ) throws -> [DetectCampaign.Row] {
        var rows: [DetectCampaign.Row] = []
        for control in try Control.all(in: controls) where only.isEmpty || only.contains(control.name) {
            let tree = try options.tree(target, release: options.release, control: control.path)
            rows.append(.init(name: control.name, tree: tree, identity: try tree?.identity()))
        }
        if only.isEmpty || only.contains(clean) { rows.append(.init(name: clean, tree: tree, identity: identity)) }
        let unknown = Set(only).subtracting(rows.map(\.name)).sorted()
        guard unknown.isEmpty else {
            throw Complaint("--only: '\(controls)' has no control \(unknown.joined(separator: ", "))")
        }
        return rows
    }
}

/// A measurement for people.
enum DetectText {
    static func text(_ progress: DetectCampaign.Progress) -> String {
        let run = progress.run
        let how = run.finding.map { "found after \(run.trials) trials, \(Output.format(run.seconds)) s: \($0)" }
        return "\(progress.done) runs, at most \(progress.left) left, about \(Int(progress.secondsLeft / 60) + 1) min: "
            + Terminal.escape("\(run.row), \(run.method.rawValue), seed \(run.seed): ")
            + Terminal.escape(how ?? "a miss after \(run.trials) trials, \(Output.format(run.seconds)) s")
    }

    static func text(_ report: DetectionReport, _ directory: String) -> String {
        let settings = report.settings
        var lines = [
            "medians of \(settings.seeds) seeds; a miss is nothing found in \(Output.format(settings.capSeconds)) s "
                + "or \(settings.capTrials) trials; \(settings.jobs) trials side by side"
                + (settings.warmJobs.map { ", \($0) where they are started warm" } ?? "")
        ]
        for row in report.rows + [report.clean].compactMap(\.self) {
            lines += [
                "",
                line(row == report.clean ? "\(row.name), without a control" : row.name, ["trials", "seconds"], "runs"),
            ]
            for cell in row.cells {
                let missed = cell.misses > 0 ? "miss (\(cell.misses) of \(cell.runs))" : "\(cell.runs)"
                let unclear = cell.inconclusive > 0 ? ", \(cell.inconclusive) trials inconclusive" : ""
                lines.append(
                    line("  \(cell.method.rawValue)", [cell.trials, cell.seconds].map(figure), missed + unclear))
            }
        }
        lines.append("")
        for method in DetectionMethod.allCases {
            guard let found = report.found(method) else { continue }
            lines.append("\(method.rawValue) found \(found) of \(report.rows.count) controls")
        }
        lines += report.comparisons.map(text)
        lines += [clean(report), "results: \(directory)/results.jsonl"]
        return lines.joined(separator: "\n")
    }

    private static func text(_ comparison: DetectionReport.Comparison) -> String {
        let bound = comparison.isAtLeast ? "at least " : ""
        let names = comparison.methods.map(\.rawValue)
        let who = names.count == 1 ? names[0] : "the sooner of \(names.joined(separator: " and "))"
        return
            "\(who) / \(DetectionMethod.own.rawValue), geometric mean over \(comparison.controls) controls: "
            + "\(bound)\(factor(comparison.seconds)) in seconds, \(bound)\(factor(comparison.trials)) in trials"
            + (comparison.estimated.map { "; \(factor($0)) by the rates at which they find" } ?? "")
            + (comparison.misses > 0 ? "; \(names.joined(separator: " and ")) missed \(comparison.misses)" : "")
            + (comparison.ownMisses > 0 ? "; \(DetectionMethod.own.rawValue) missed \(comparison.ownMisses)" : "")
    }

    private static func clean(_ report: DetectionReport) -> String {
        guard let clean = report.clean else {
            return "the release without a control was not run: what was found may not be the controls' own"
        }
        let alarms = report.falseAlarms.map(\.rawValue)
        if alarms.isEmpty, !report.unproven.isEmpty {
            return "'\(clean.name)' without a control was not run to the end by "
                + "\(report.unproven.map(\.rawValue).joined(separator: ", ")): what they found may not be the controls' own"
        }
        return alarms.isEmpty
            ? "'\(clean.name)' without a control: nothing was found, as it must be"
            : "FALSE ALARMS: '\(clean.name)' without a control was found violated by \(alarms.joined(separator: ", ")); "
                + "what they found elsewhere proves nothing"
    }

    private static func line(_ name: String, _ figures: [String], _ last: String) -> String {
        let begin = name + String(repeating: " ", count: max(1, 34 - name.count))
        return begin + figures.map { String(repeating: " ", count: max(0, 10 - $0.count)) + $0 }.joined() + "   " + last
    }

    private static func figure(_ median: DetectionReport.Median?) -> String {
        median.map { ($0.isMiss ? "> " : "") + number($0.value) } ?? "–"
    }

    private static func number(_ value: Double) -> String {
        value == value.rounded() ? String(Int(value)) : Output.format(value)
    }

    private static func factor(_ value: Double) -> String { "\(Output.format(value))×" }
}
