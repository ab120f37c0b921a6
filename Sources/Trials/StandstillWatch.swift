import Evidence
import Gate
import Platform
import Scenarios
import Topologies

/// When a trial that only waits looks whether anything in it can still go on. Nothing tells when everything has come to a standstill,
/// so this is looked at by time: soon after the last call, then ever more seldom.
struct StandstillWatch {
    /// After how long without any call the first look is worth its cost.
    private static let first: Int64 = 50_000_000
    private static let longest: Int64 = 800_000_000
    /// How long everything must have slept: so long that the second look is another one.
    private static let proof: Int64 = 50_000_000
    /// With a network, longer than what TCP takes to send again what was lost, 200 ms.
    private static let proofWithNetwork: Int64 = 250_000_000

    /// When to look next; nil while nothing is waited for that a standstill would make impossible.
    private(set) var next: Int64?
    private var interval = first
    private var calls = -1
    private var seen: (look: Look, time: Int64)?

    /// What was proven but for what may be outside is not so: it is looked at again, as seldom as can be.
    mutating func doubt(_ now: Int64) { (seen, interval, next) = (nil, Self.longest, now + Self.longest) }

    /// What a look shows.
    struct Look: Equatable {
        /// The sleep of every thread.
        let waits: [ThreadWait]
        /// Whether something may be on its way from one to another.
        let hasNetwork: Bool
        /// What else it found.
        let at: Standstill

        static func == (one: Look, other: Look) -> Bool {
            one.waits == other.waits && one.hasNetwork == other.hasNetwork
        }
    }

    /// Begins anew.
    mutating func rest() {
        next = nil
        seen = nil
        calls = -1
    }

    /// Looks, if it is time.
    /// - Returns: how many threads wait for each other for good, and the last look at them; nil when that is not proven.
    mutating func look(_ now: Int64, calls count: Int, look: () -> Look?) -> (Int, Standstill)? {
        guard let due = next else {
            (calls, interval, next) = (count, Self.first, now + Self.first)
            return nil
        }
        guard now >= due else { return nil }
        guard count == calls else {
            (calls, interval, seen, next) = (count, Self.first, nil, now + Self.first)
            return nil
        }
        guard let look = look() else {
            interval = min(2 * interval, Self.longest)
            (seen, next) = (nil, now + interval)
            return nil
        }
        let proof = look.hasNetwork ? Self.proofWithNetwork : Self.proof
        if let seen, seen.look == look {
            guard now - seen.time >= proof else { return nil }
            return (look.waits.count, look.at)
        }
        (seen, next) = ((look, now), now + proof)
        return nil
    }
}

extension TrialLoop {
    /// Looks whether what the trial waits for can still come, and ends the wait if not.
    func watchForStandstill(_ now: Int64) {
        guard isWaitingOnlyForProcesses, let observation else { return standstillWatch.rest() }
        let found = standstillWatch.look(now, calls: gate.intercepted) {
            let standstill = Standstill(gate.table, observation)
            return standstill.waits().map { .init(waits: $0, hasNetwork: observation.hasNetwork(), at: standstill) }
        }
        guard let (threads, last) = found else { return }
        guard last.isSealed() else { return standstillWatch.doubt(now) }
        standstillWatch.rest()
        switch stage {
        case .stepping(let progress): giveUp(progress, now, .standstill(threads: threads))
        case .ending: outlives(threads)
        case .settingUp, .autopsy, .over: break
        }
    }

    /// Whether Fracas itself is about to do nothing that could make the processes go on.
    private var isWaitingOnlyForProcesses: Bool {
        guard gate.isIdle, !isStarting, !isFaultToCome else { return false }
        switch stage {
        case .settingUp, .autopsy, .over: return false
        case .ending: return true
        case .stepping(let progress):
            switch plan.scenario.steps[progress.index].action {
            case .start, .wait, .stop, .run: return lines.next == nil
            case .signal, .deployment: return false
            }
        }
    }
}
