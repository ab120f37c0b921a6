import Platform
import Scenarios
import Topologies

/// What the gate does later: letting a call go on, ending what lasts.
enum LaterAct {
    /// A held call's delay is over.
    case settle(HeldCall)
    /// A hold's bound has passed.
    case expire(Rule, HeldCall)
    /// Stopped processes are continued.
    case resume([TrackedProcess], Rule)
    /// Frozen processes are thawed.
    case thaw(TrialCgroup.Group, [TrackedProcess], Rule)
    /// Starved processes are let run, or frozen again, until a time.
    case starve(TrialCgroup.Group, [TrackedProcess], Rule, isFrozen: Bool, share: Int, end: Int64)
    /// Processes have their descriptors back.
    case restore([(process: TrackedProcess, bound: Int)], Rule)
}

/// The later acts in the order of their times.
struct DueActs {
    private var acts: [(time: Int64, act: LaterAct)] = []

    /// When the next is due; nil when there is none.
    var next: Int64? { acts.first?.time }

    /// The calls that are held until then.
    var held: [HeldCall] {
        acts.compactMap { _, act in
            switch act {
            case .settle(let call), .expire(_, let call): call
            case .resume, .thaw, .starve, .restore: nil
            }
        }
    }

    mutating func add(_ act: LaterAct, at time: Int64) {
        let place = acts.firstIndex { $0.time > time } ?? acts.endIndex
        acts.insert((time, act), at: place)
    }

    /// Takes the next one that is due by `now`, with how late it is in nanoseconds (0 when all that is left is taken).
    mutating func take(dueBy now: Int64) -> (act: LaterAct, late: Int64)? {
        guard let first = acts.first, first.time <= now else { return nil }
        acts.removeFirst()
        return (first.act, now == .max ? 0 : now - first.time)
    }
}
