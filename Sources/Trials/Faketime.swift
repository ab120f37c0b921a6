import Foundation
import Glibc
import Platform
import Scenarios
import Topologies

/// The clock of processes that Fracas may change: libfaketime, preloaded, reads the offset from a file in the trial's `/tmp` at
/// every look at the time.
enum Faketime {
    /// The names of those files begin so; they are ours, and no leak.
    static let prefix = Observation.ownPrefix + "clock-"

    /// What a process needs in its environment for its clock to be changed later; nothing in a scenario that changes none.
    static func environment(of role: Role, in plan: TrialPlan) -> [String: String] {
        guard changesClocks(plan), let library = FaketimeLibrary.path else { return [:] }
        // Ours first: what it does not pass on to the other is left as it is.
        let ours = FaketimeLibrary.waits(beside: plan.sandbox.launcher)
        let preloaded = [ours.map { isSplit($0) ? "/tmp/\(link)" : $0 }, library].compactMap(\.self)
        return [
            "LD_PRELOAD": preloaded.joined(separator: ":"),
            "FAKETIME_TIMESTAMP_FILE": "/tmp/\(file(of: role))", "FAKETIME_NO_CACHE": "1",
            // The monotonic clock is what time-outs count by: a jump of it is another thing than a jump of the clock.
            "DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_DISABLE_SHM": "1",
        ]
    }

    /// Where our own library is called by another name: the loader splits its list at spaces and colons, and no sign makes either
    /// part of a name, ld.so(8).
    private static let link = prefix + "library.so"
    private static func isSplit(_ path: String) -> Bool { path.contains { $0 == " " || $0 == ":" } }

    private static func changesClocks(_ plan: TrialPlan) -> Bool {
        plan.scenario.faults.contains { if case .clock = $0.action { true } else { false } }
    }

    /// Makes ready what the environment of processes names; why it could not be done, or nil.
    static func prepare(_ plan: TrialPlan, in observation: Observation) -> String? {
        guard changesClocks(plan), let path = FaketimeLibrary.waits(beside: plan.sandbox.launcher), isSplit(path) else {
            return nil
        }
        do {
            try observation.linkTemporary(link, to: path)
            return nil
        } catch { return "make a link to '\(path)' in the trial's /tmp: \(error)" }
    }

    /// Sets the clock of a process and all below it; why it could not be done, or nil.
    static func set(_ seconds: Int, for role: Role, in observation: Observation) -> String? {
        do {
            try observation.writeTemporary("\(seconds < 0 ? "" : "+")\(seconds)\n", to: file(of: role))
            return nil
        } catch { return "write the clock's offset: \(error)" }
    }

    private static func file(of role: Role) -> String {
        prefix + role.description.map { $0.isLetter || $0.isNumber ? String($0) : "-" }.joined()
    }
}
