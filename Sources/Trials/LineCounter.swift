import Evidence
import Platform
import Scenarios
import Topologies

/// Counts, for every pattern that a scenario waits for, how many lines of each role matched it so far, so that a step also
/// sees what was printed before it began.
///
/// A line is read while its writer may still be in the call that put it out, and what a step does next would always come within that
/// call. So a line counts once its writer has left the call.
struct LineCounter {
    /// Lines that are out, of one process, and whose writers may not have left the call yet.
    private struct Fresh {
        let process: TrackedProcess
        let role: Role
        var patterns: [String]
        var writers: OutputWriters
        /// When the first of them came.
        let since: Int64
    }

    private var patterns: [(text: String, pattern: Regex<AnyRegexOutput>)] = []
    private var counts: [String: [Role: Int]] = [:]
    private var fresh: [Fresh] = []
    private var interval = first
    /// When to look next whether writers have left their calls; nil while there is none to look for.
    private(set) var next: Int64?
    /// Nothing tells when a call returns that is not followed. Mostly it has, or does while the line is looked at.
    private static let first: Int64 = 50_000
    /// Lines that come so close together are looked after together.
    private static let burst: Int64 = 1_000_000
    private static let longest: Int64 = 5_000_000
    /// A writer of which nothing can be seen, or that Fracas has stopped, is not waited for any longer.
    private static let patience: Int64 = 1_000_000_000

    init(_ scenario: Scenario) throws(TrialError) {
        var texts: [String] = []
        for process in scenario.topology.processes {
            if case .log(let text, _) = process.ready { texts.append(text) }
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

    /// Takes a line that has come.
    mutating func take(_ line: String, of process: TrackedProcess, in table: ProcessTable, _ now: Int64) {
        guard let role = process.role else { return }
        let matched = patterns.filter { line.firstMatch(of: $0.pattern) != nil }.map(\.text)
        guard !matched.isEmpty else { return }
        let writers = OutputWriters(of: process, in: table)
        if let last = fresh.indices.last, fresh[last].process === process, now - fresh[last].since < Self.burst {
            fresh[last].patterns += matched
            fresh[last].writers = writers
        } else {
            fresh.append(Fresh(process: process, role: role, patterns: matched, writers: writers, since: now))
        }
        (interval, next) = (Self.first, now)
    }

    /// Counts the lines whose writers have left their calls.
    /// - Parameter isHeld: whether Fracas itself holds calls: then a writer is waited for as long as that takes.
    mutating func settle(_ now: Int64, isHeld: Bool) {
        guard let due = next, now >= due else { return }
        var waiting: [Fresh] = []
        for var line in fresh {
            let isLate = !isHeld && now - line.since >= Self.patience
            if line.process.hasExited || isLate || line.writers.haveLeft() {
                count(line)
            } else {
                waiting.append(line)
            }
        }
        fresh = waiting
        next = fresh.isEmpty ? nil : now + interval
        interval = min(2 * interval, Self.longest)
    }

    /// Counts the lines of a process that has ended: it is in no call any more, and nobody must believe that they never came.
    mutating func settle(endOf process: TrackedProcess) {
        for line in fresh where line.process === process { count(line) }
        fresh.removeAll { $0.process === process }
        if fresh.isEmpty { next = nil }
    }

    private mutating func count(_ line: Fresh) {
        for text in line.patterns { counts[text, default: [:]][line.role, default: 0] += 1 }
    }

    func count(of pattern: String, role: Role) -> Int { counts[pattern]?[role] ?? 0 }
}
