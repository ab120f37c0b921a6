import Checkers

/// The form that build servers read: one test case per scenario.
enum JUnitReport {
    static func text(_ summary: RunSummary) -> String {
        let failed = summary.scenarios.count { $0.violated > 0 }
        let undecided = summary.scenarios.count { $0.verdict(in: summary.kind) == .inconclusive }
        let notRun = summary.scenarios.count { $0.trials == 0 }
        var lines = [
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
            "<testsuite name=\"\(escape(summary.name))\" tests=\"\(summary.scenarios.count)\" failures=\"\(failed)\" "
                + "errors=\"\(undecided)\" skipped=\"\(notRun)\" time=\"\(summary.seconds)\" "
                + "timestamp=\"\(escape(summary.startedAt))\">",
        ]
        for scenario in summary.scenarios {
            lines.append(
                "  <testcase classname=\"\(escape(summary.name))\" name=\"\(escape(scenario.name))\" time=\"\(scenario.seconds)\">"
            )
            if scenario.violated > 0 {
                let findings = summary.findings.filter { $0.scenarios.contains(scenario.name) }
                let names = findings.map(\.signature).joined(separator: "; ")
                let detail = findings.map { "\($0.signature): \($0.message)" }.joined(separator: "\n")
                lines.append(
                    "    <failure message=\"\(scenario.violated) of \(scenario.trials) trials violated: \(escape(names))\">\(escape(detail))</failure>"
                )
            } else if scenario.trials == 0 {
                lines.append("    <skipped message=\"no trial of it was run\"/>")
            } else if scenario.verdict(in: summary.kind) == .inconclusive {
                let reasons = summary.problems.map(\.text).filter { $0.hasPrefix("\(scenario.name): ") }.joined(
                    separator: "\n")
                lines.append(
                    "    <error message=\"\(scenario.inconclusive) of \(scenario.trials) trials were inconclusive\">\(escape(reasons))</error>"
                )
            }
            let aside = (summary.setAside ?? []).filter { $0.scenarios.contains(scenario.name) }
            if !aside.isEmpty {
                let text = aside.map { "set aside, \($0.count) trials: \($0.signature): \($0.why ?? "known")" }
                lines.append("    <system-out>\(escape(text.joined(separator: "\n")))</system-out>")
            }
            lines.append("  </testcase>")
        }
        return (lines + ["</testsuite>", ""]).joined(separator: "\n")
    }

    /// XML 1.0 has no way to write most control characters at all, so they become a replacement character.
    static func escape(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "\n", "\t": result.unicodeScalars.append(scalar)
            default:
                let isAllowed = scalar.value >= 0x20 && scalar.value != 0xFFFE && scalar.value != 0xFFFF
                result.unicodeScalars.append(isAllowed ? scalar : "\u{FFFD}")
            }
        }
        return result
    }
}
