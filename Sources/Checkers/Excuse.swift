import Evidence

/// Why a trial can accuse nobody, whatever was seen in it: something from outside may have brought it about. A target's own time-outs
/// run on while Fracas stands still and holds its calls, and while there is no processor for it; so what fails then need not be its fault.
enum Excuse {
    /// So long Fracas may stand still, in all, before a time-out that ran out meanwhile can be what failed.
    static let stillness: Int64 = 200_000_000
    /// So long the host may have slept.
    static let sleep: Int64 = 50_000_000
    /// So long a trial may have waited for a processor, whatever share of its time that was.
    static let hunger: Int64 = 3_000_000_000
    /// So long where it was this share of the trial's time, or more.
    static let hungerInShort: (length: Int64, percent: Int64) = (1_200_000_000, 60)

    /// Why; nil when nothing of the kind befell the trial.
    static func reason(_ history: History) -> String? {
        var still: Int64 = 0
        for record in history.records {
            switch record.event {
            case .disturbed(let disturbance):
                let length = max(0, disturbance.length ?? 0)
                switch disturbance.kind {
                case .ended: return ended
                case .stoodStill: still = still.addingReportingOverflow(length).overflow ? .max : still + length
                case .slept where length >= sleep: return "the host slept for \(seconds(length)) during the trial"
                case .starved where isHunger(length, of: record.time):
                    return
                        "processes of the trial waited \(seconds(length)) of its \(seconds(record.time)) for a processor: the machine has too much else to do; use fewer --jobs, or run it when there is less"
                case .fracasStarved where isHunger(length, of: record.time):
                    return
                        "Fracas itself waited \(seconds(length)) of the trial's \(seconds(record.time)) for a processor while it held the trial's calls: the machine has too much else to do; use fewer --jobs, or run it when there is less"
                default: break
                }
            case .end(let end) where end.reason == .interrupted: return interrupted
            default: break
            }
        }
        if let felt = felt(history) { return felt }
        guard still >= stillness else { return nil }
        return
            "Fracas itself stood still for \(seconds(still)) during the trial: it was stopped, or the whole machine was"
    }

    /// Why what the target met may have been Fracas itself: calls that a signal broke off before the gate had received them.
    private static func felt(_ history: History) -> String? {
        guard let broken = history.brokenCalls else { return nil }
        if broken.unknown > 0 { return SightChecker.says(broken.unknown) }
        // Nothing is made good for calls of another architecture, not even the return from a handler.
        let isForeign = history.records.contains {
            if case .unseen(let unseen) = $0.event { unseen.way == .otherArchitecture } else { false }
        }
        let left = broken.missed.subtractingReportingOverflow(broken.restarted).partialValue
        return isForeign && left > 0 ? SightChecker.says(left) : nil
    }

    /// What is said in place of the violations.
    static func withdrawal(of violations: [Violation], _ reason: String) -> String {
        var seen: Set<String> = []
        let signatures = violations.map(\.signature).filter { seen.insert($0).inserted }.joined(separator: ", ")
        return "\(reason); so it accuses nobody of: \(signatures) (\(violations[0].message))"
    }

    /// What is said of a trial whose init was ended: it is not held either.
    static let ended =
        "the trial's init was ended from outside, by hand or by the host's memory killer, and every process of the trial with it"

    static let interrupted = "the trial was interrupted"

    private static func isHunger(_ length: Int64, of whole: Int64) -> Bool {
        length >= hunger || length >= hungerInShort.length && length / hungerInShort.percent >= max(0, whole) / 100
    }

    private static func seconds(_ nanoseconds: Int64) -> String {
        let tenths = max(0, nanoseconds) / 100_000_000
        return "\(tenths / 10).\(tenths % 10) s"
    }
}
