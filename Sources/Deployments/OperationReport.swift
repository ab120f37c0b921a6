import Foundation
import Platform

/// What an operation came to.
public struct OperationReport: Codable, Sendable {
    /// `deploy`, `rollback` or `validate`.
    public var operation: String
    /// When it began, `YYYYMMDD_HHMMSS`.
    public var id: String
    /// The tree.
    public var tree: String
    /// `succeeded`, `failed`, `planned` (a dry run), or for a validation `healthy` and `unhealthy`.
    public var result: String
    /// Why it failed; nil when it did not.
    public var error: String?
    /// Which release the tree shows now: `old`, `new`, or `unsettled` when the next command must go on with it.
    public var release: String?
    /// The backup of what was there before; for a rollback the one that was restored.
    public var backup: String?
    /// The hash over the tree's units before, and when the operation had ended.
    public var hashBefore: String?
    /// See `hashBefore`.
    public var hashAfter: String?
    /// What was done and looked at, in order.
    public var checks: [Check]
    /// What a dry run would do.
    public var plan: [String] = []
    /// Where nothing was settled: that an operation is at work or was broken off, and what happens next.
    public var unfinished: String?
    /// Seconds it took.
    public var seconds: Double
    /// The log.
    public var log: String?
    /// The report for people.
    public var report: String?
    /// Whether anything is other than before; for a dry run whether it would be. nil in reports of earlier versions.
    public var changed: Bool?
    /// Whether there was nothing to do, because what was asked for is there.
    public var isUnchanged: Bool?
    /// The release in the tree before.
    public var from: ReleaseInTree?
    /// The release in the tree when it had ended; for a dry run the one there would be.
    public var to: ReleaseInTree?
    /// What the kind of deployment is called, from the configuration.
    public var title: String

    /// Whether it came so far that there was something to undo.
    public var hasBegun: Bool { release != nil }

    /// Whether it came out as it should.
    public var isGood: Bool { ["succeeded", "planned", "healthy"].contains(result) }

    /// The report for people, in Markdown.
    public var markdown: String {
        func cell(_ text: String) -> String { Markdown.text(text) }
        var lines = [
            "# \(operation.capitalized) report: \(result)", "", "| | |", "|---|---|", "| tree | \(cell(tree)) |",
            "| began (UTC) | \(id) |", "| took | \((seconds * 10).rounded() / 10) s |", "| what | \(cell(title)) |",
        ]
        for (name, value) in [
            ("release in the tree", release), ("backup", backup), ("hash before", hashBefore),
            ("hash after", hashAfter),
            ("log", log),
        ] { if let value { lines.append("| \(name) | \(cell(value)) |") } }
        if let error {
            lines += ["", "## Why it failed", ""] + error.split(separator: "\n").map { "> \(cell(String($0)))" }
        }
        if !plan.isEmpty { lines += ["", "## What would be done", ""] + plan.map { "- \(cell($0))" } }
        lines += ["", "## Checks", "", "| check | outcome | detail |", "|---|---|---|"]
        lines += checks.map { "| \(cell($0.name)) | \($0.outcome.rawValue) | \(cell($0.detail)) |" }
        return lines.joined(separator: "\n") + "\n"
    }

    /// The figures for Prometheus, in its text format.
    public var prometheus: String {
        func label(_ text: String) -> String {
            Text.plain(text).replacingOccurrences(of: "\\", with: "\\\\").replacingOccurrences(of: "\"", with: "\\\"")
        }
        let names = "operation=\"\(label(operation))\""
        var lines = [
            "# HELP fracas_deployment_good Whether the last operation of this kind came out as it should.",
            "# TYPE fracas_deployment_good gauge", "fracas_deployment_good{\(names)} \(isGood ? 1 : 0)",
            "# HELP fracas_deployment_seconds Seconds it took.", "# TYPE fracas_deployment_seconds gauge",
            "fracas_deployment_seconds{\(names)} \(seconds)",
            "# HELP fracas_deployment_check Whether a check passed (1), warned (0.5) or failed (0).",
            "# TYPE fracas_deployment_check gauge",
        ]
        for check in checks where check.outcome != .skipped {
            let value = check.outcome == .passed ? "1" : check.outcome == .warning ? "0.5" : "0"
            lines.append("fracas_deployment_check{\(names),check=\"\(label(check.name))\"} \(value)")
        }
        lines += [
            "# HELP fracas_deployment_value What a check measured, in its unit.",
            "# TYPE fracas_deployment_value gauge",
        ]
        for check in checks {
            guard let value = check.value, let unit = check.unit else { continue }
            lines.append(
                "fracas_deployment_value{\(names),check=\"\(label(check.name))\",unit=\"\(label(unit))\"} \(value)")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// Writes the three forms beside the log. That one cannot be written is told, and fails nothing.
    /// - Returns: what could not be written.
    mutating func write(_ tree: DeploymentTree, name: String) -> [String] {
        let base = "\(tree.logs)/\(name)_\(id)"
        let mode = tree.configuration.mode("FILE_PERMISSIONS")
        var failures: [String] = []
        func write(_ path: String, _ bytes: [UInt8]) -> Bool {
            do {
                try Files.replace(path, bytes, mode: mode)
                return true
            } catch {
                failures.append("'\(path)' cannot be written: \(error)\(Copying.remedy(error))")
                return false
            }
        }
        // The others name it, so it comes first.
        report = base + ".md"
        if !write(base + ".md", Array(markdown.utf8)) { report = nil }
        _ = write(base + ".json", (try? Text.json(self)) ?? [])
        _ = write("\(tree.logs)/\(operation).prom", Array(prometheus.utf8))
        return failures
    }
}
