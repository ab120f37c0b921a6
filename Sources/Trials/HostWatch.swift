import Evidence
import Gate
import Platform
import Topologies

/// What befell a trial that neither it nor its scenario did: looked at when time decides something, and once more at its end.
final class HostWatch {
    private let start: Int64
    private let sleptBefore = Clock.slept()
    private let waitedBefore = ThreadShare.own?.waited() ?? 0
    /// By how much deadlines have been moved already.
    private var moved: Int64 = 0
    /// The longest that a process waited for a processor that has ended.
    private var longestOfEnded: Int64 = 0

    /// Begins to watch.
    init(start: Int64) {
        self.start = start
        Pulse.shared.begin()
    }

    deinit { Pulse.shared.end() }

    /// A process ends: where nothing adds up what its threads waited, it is asked now.
    func ends(_ process: TrackedProcess) {
        longestOfEnded = max(longestOfEnded, ThreadShare.longestWait(ofProcess: process.hostPid))
    }

    /// How long Fracas did not run since this was last asked, whatever kept it.
    func lostSince(_ now: Int64) -> Int64 {
        let all = Pulse.shared.gaps(since: start, now: now).reduce(Int64(0)) { $0 + $1.length }
        defer { moved = max(moved, all) }
        return max(0, all - moved)
    }

    /// Everything that befell the trial.
    /// - Parameters:
    ///   - hasEnded: whether its init was ended by somebody else.
    ///   - cgroup: the trial's own, which adds up what its processes waited for; nil where it has none.
    ///   - live: the processes that are left.
    ///   - servants: the threads that receive the trial's calls.
    func disturbances(
        hasEnded: Bool, cgroup: TrialCgroup?, live: [TrackedProcess], servants: [GateThreads]
    ) -> [Disturbance] {
        Pulse.shared.settle()
        var found = Pulse.shared.gaps(since: start, now: Clock.now()).filter { $0.stopped > Self.leastTold }.map {
            Disturbance(kind: .stoodStill, from: $0.range.lowerBound - start, length: $0.stopped)
        }
        let slept = Clock.slept() - sleptBefore
        if slept > Self.leastTold { found.append(Disturbance(kind: .slept, length: slept)) }
        let waited =
            cgroup?.starved()
            ?? live.reduce(longestOfEnded) { max($0, ThreadShare.longestWait(ofProcess: $1.hostPid)) }
        if waited > Self.leastTold { found.append(Disturbance(kind: .starved, length: waited)) }
        let own = (ThreadShare.own?.waited() ?? 0) - waitedBefore
        let ours = servants.reduce(own) { max($0, $1.waited) }
        if ours > Self.leastTold { found.append(Disturbance(kind: .fracasStarved, length: ours)) }
        if hasEnded { found.append(Disturbance(kind: .ended)) }
        return found
    }

    /// Less is not worth a record.
    private static let leastTold: Int64 = 50_000_000
}

extension TrialLoop {
    /// Gives everything that has a deadline the time back in which Fracas stood still. What two looks saw on either side of that
    /// proves nothing: calls may have come to the gate between them that nobody took.
    func giveBackLostTime(_ now: Int64) {
        let lost = host.lostSince(now)
        guard lost > 0 else { return }
        lostTime += lost
        standstillWatch.rest()
        switch stage {
        case .stepping(var progress):
            progress.deadline += lost
            stage = .stepping(progress)
        case .ending(let deadline): stage = .ending(deadline: deadline + lost)
        case .autopsy(let deadline, let asked): stage = .autopsy(deadline: deadline + lost, asked: asked)
        case .settingUp, .over: break
        }
    }

    /// Puts into the ledger what befell the trial.
    func recordDisturbances() {
        let all = host.disturbances(
            hasEnded: sandbox.isGone, cgroup: gate.trialCgroup, live: gate.table.all.filter { !$0.hasExited },
            servants: gateThreads)
        for disturbance in all { record(.disturbed(disturbance)) }
    }
}
