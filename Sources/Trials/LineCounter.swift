import Scenarios

/// Counts, for every pattern that a scenario waits for, how many lines of each role matched it so far, so that a step also
/// sees what was printed before it began.
struct LineCounter {
    private var patterns: [(text: String, pattern: Regex<AnyRegexOutput>)] = []
    private var counts: [String: [Role: Int]] = [:]

    init(_ scenario: Scenario) throws(TrialError) {
        var texts: [String] = []
        for process in scenario.topology.processes {
            if case .log(let text) = process.ready { texts.append(text) }
        }
        for step in scenario.steps {
            if case .wait(.log(_, let text, _)) = step.action { texts.append(text) }
        }
        for text in Set(texts).sorted() {
            do {
                patterns.append((text, try Regex(text)))
            } catch { throw TrialError("the pattern '\(text)' is not a regular expression: \(error)") }
        }
    }

    mutating func count(_ line: String, of role: Role) {
        for (text, pattern) in patterns where line.firstMatch(of: pattern) != nil {
            counts[text, default: [:]][role, default: 0] += 1
        }
    }

    func count(of pattern: String, role: Role) -> Int { counts[pattern]?[role] ?? 0 }
}
