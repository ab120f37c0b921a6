import Evidence
import Glibc
import Scenarios

/// Nothing may be left behind: shared memory, semaphores, temporary files, listening ports, descriptors.
public struct LeakChecker: Checker {
    /// `leak`.
    public let name = "leak"

    /// Makes the checker.
    public init() {}

    /// A violation for each thing left.
    public func check(_ history: History) -> Findings {
        let expected = history.expect.leaks
        var findings = Findings()
        var sawCensus = false
        for record in history.observed {
            switch record.event {
            case .census(let census):
                // What a trial left that was cut short in its middle, it might have taken away later.
                guard history.wentThroughItsSteps else { continue }
                // And so might whoever is still there.
                if census.alive.isEmpty {
                    sawCensus = true
                    let left = files(of: census, besides: expected, record.seq)
                    // Nobody is above a process that Fracas itself started: what it had open when it was killed stays.
                    if expected.areSaid != true, history.wasTopKilled(before: record.seq) {
                        findings.consequences += left
                    } else {
                        findings.violations += left
                    }
                }
                for port in census.ports where !expected.ports.contains(port) {
                    let left = leak("port left open", "something still listened on port \(port)", record.seq)
                    // It is open because somebody is still there who was left alone.
                    if !census.alive.isEmpty, census.alive.allSatisfy({ isExcused($0, history) }) {
                        findings.consequences.append(left)
                    } else {
                        findings.violations.append(left)
                    }
                }
            case .holdings(let holdings):
                guard let role = holdings.subject.role,
                    let rule = expected.descriptors.first(where: { $0.roles.matches(role) })
                else { continue }
                for (kind, most) in rule.most.sorted(by: { $0.key < $1.key }) {
                    let count = holdings.descriptors[kind, default: 0]
                    guard count > most else { continue }
                    findings.violations.append(
                        leak(
                            "\(kind) descriptors of \(History.general(role)) open at exit",
                            "\(History.name(holdings.subject)) exited with \(count) \(kind) descriptors open, of at most \(most)",
                            record.seq))
                }
            default: break
            }
        }
        if !sawCensus, findings.violations.isEmpty { return .notChecked("the trial did not come to its end") }
        return findings
    }

    private func isExcused(_ subject: Subject, _ history: History) -> Bool {
        history.expect.orphansMustNotice != true && history.isBelowKilled(subject)
    }

    private func files(of census: Census, besides expected: Expectations.Leaks, _ seq: Int) -> [Violation] {
        let memory = census.sharedMemory.filter { !Self.matches($0, expected.sharedMemory) }.map { entry in
            let kind = entry.hasPrefix("sem.") ? "semaphore" : "shared memory"
            return leak("\(kind) left in /dev/shm", "/dev/shm/\(entry) was left", seq)
        }
        return memory
            + census.temporary.filter { !Self.matches($0, expected.temporary) }.map {
                leak("file left in /tmp", "/tmp/\($0) was left", seq)
            }
    }

    private static func matches(_ entry: String, _ patterns: [String]) -> Bool {
        patterns.contains { fnmatch($0, entry, 0) == 0 }
    }

    private func leak(_ signature: String, _ message: String, _ seq: Int) -> Violation {
        Violation(checker: name, signature: signature, message: message, records: [seq])
    }
}
