import Checkers
import Foundation
import Glibc
import Platform
public import Reports
public import Scenarios
import Schedules
import Synchronization
public import Topologies
public import Trials

/// A run of many trials: every scenario in turn, side by side on several threads.
public struct Campaign: Sendable {
    /// What is run.
    public var name: String
    /// The scenarios, in the order in which trials take turns.
    public var scenarios: [Scenario]
    /// The tree under test, if there is one.
    public var target: TargetTree?
    /// The seed from which every trial's own is made.
    public var seed: UInt64
    /// How many trials.
    public var trials: Int
    /// How many side by side.
    public var jobs: Int
    /// The namespaces of a trial; each gets a cgroup of its own below `cgroup`.
    public var sandbox: Sandbox.Options
    /// The directories below which trials' cgroups are made; nil where the host has none to give.
    public var cgroup: TrialCgroup.Places?
    /// The directory of the Python probe; nil where no scenario needs it.
    public var probe: String?
    /// The interpreters that processes come from which a scenario lets be started warm; nil to execute every program.
    public var warm: WarmServers?
    /// Whether to stop at the first violation.
    public var stopsAtViolation: Bool
    /// Which trials are run, by number; nil for all from 1 on.
    public var numbers: [Int]?
    /// Whether the ledgers of trials that held are taken away: of thousands, those that tell something are enough.
    public var keepsOnlyWhatTells = false
    /// What kind of run it is; nil for one whose every trial counts.
    public var kind: RunSummary.Kind?
    /// What earlier parts of the same run came to, and how many seconds they took; nil when this is the first.
    var earlier: (sum: RunAccumulator, seconds: Double)?

    /// Makes a campaign.
    public init(
        name: String, scenarios: [Scenario], target: TargetTree?, seed: UInt64, trials: Int, jobs: Int,
        sandbox: Sandbox.Options, cgroup: TrialCgroup.Places?, probe: String? = nil, stopsAtViolation: Bool = false
    ) {
        self.name = name
        self.scenarios = scenarios
        self.target = target
        self.seed = seed
        self.trials = trials
        self.jobs = jobs
        self.sandbox = sandbox
        self.cgroup = cgroup
        self.probe = probe
        self.stopsAtViolation = stopsAtViolation
        numbers = nil
    }

    /// The seed of one trial: the run's seed and the trial's number, well mixed.
    public static func trialSeed(run seed: UInt64, trial: Int) -> UInt64 {
        var draw = SplitMix64(seed: seed ^ (UInt64(trial) &* 0xD129_0B26_0E1A_64B5))
        return draw.next()
    }

    /// The plan of one trial: always the same for the same campaign, scenario and number.
    func plan(_ scenario: Scenario, trial: Int, directory: RunDirectory?) -> TrialPlan {
        var options = sandbox.serving(scenario)
        options.overlays = target?.overlays ?? []
        let name = LeftoverCgroups.name(trial: trial)
        options.cgroup = cgroup.map {
            .init(unified: "\($0.unified)/\(name)", memory: $0.memory.map { "\($0)/\(name)" })
        }
        return TrialPlan(
            number: trial, seed: Self.trialSeed(run: seed, trial: trial), scenario: scenario, target: target?.path,
            release: target?.release, control: target?.control?.path,
            ledger: directory.map { "\($0.path)/\($0.ledgerName(trial: trial, scenario: scenario.name))" },
            sandbox: options, probe: probe, warm: warm)
    }

    /// Runs the campaign's trials.
    /// - Parameters:
    ///   - directory: where ledgers go; nil keeps none.
    ///   - stop: asks the campaign to stop; trials under way are interrupted.
    ///   - progress: called after each trial with the summary so far.
    /// - Returns: what came of it.
    public func run(
        identity: TargetIdentity?, directory: RunDirectory?, stop: StopSignal,
        progress: (TrialResult, RunSummary) -> Void
    ) async -> RunSummary {
        let queue = WorkQueue(numbers ?? Array(1...max(1, trials)), scenarios)
        return await run(queue, identity: identity, directory: directory, stop: stop, progress: progress)
    }

    /// Runs the trials that a source hands out, until it has no more.
    public func run(
        _ source: some TrialSource, identity: TargetIdentity?, directory: RunDirectory?, stop: StopSignal,
        progress: (TrialResult, RunSummary) -> Void
    ) async -> RunSummary {
        let begin = ContinuousClock.now
        if let cgroup { LeftoverCgroups.remove(below: cgroup) }
        let before = Duration.seconds(earlier?.seconds ?? 0)
        var sum =
            earlier?.sum
            ?? RunAccumulator(
                name: name, seed: seed, target: identity, startedAt: Date(), scenarios: scenarios.map(\.name),
                kind: kind)
        // Where it cannot be written, the reports cannot either, and that is said in the end, with the verdict.
        if let directory { try? ReportWriter.begin(sum.summary(seconds: before / .seconds(1)), in: directory) }
        let (results, continuation) = AsyncStream.makeStream(of: TrialResult.self)
        for job in 0..<max(1, jobs) {
            let thread = Thread { work(source, directory, stop, continuation) }
            thread.name = "fracas trial \(job)"
            thread.start()
        }
        var workers = max(1, jobs)
        for await result in results {
            if result.number == 0 {
                workers -= 1
                if workers == 0 { continuation.finish() }
                continue
            }
            guard !result.wasInterrupted else { continue }
            let ledger = directory.map { $0.ledgerName(trial: result.number, scenario: result.scenario) }
            sum.add(
                trial: result.number, scenario: result.scenario, judgement: result.judgement,
                seconds: result.duration / .seconds(1), faultsFired: result.faultsFired, ledger: ledger,
                isKept: !isDiscarded(result), weight: TrialWeight(result.records), finding: result.finding)
            if stopsAtViolation, result.judgement.verdict == .violated { source.close() }
            progress(result, sum.summary(seconds: (before + (ContinuousClock.now - begin)) / .seconds(1)))
        }
        return sum.summary(seconds: (before + (ContinuousClock.now - begin)) / .seconds(1), interrupted: stop.isSet)
    }

    /// Whether a trial's ledger is taken away.
    private func isDiscarded(_ result: TrialResult) -> Bool {
        keepsOnlyWhatTells && result.judgement.verdict == .held && !result.wasInterrupted
    }

    /// One thread's share: trials, until there are no more. A result numbered 0 says that the thread is done.
    private func work(
        _ source: some TrialSource, _ directory: RunDirectory?, _ stop: StopSignal,
        _ continuation: AsyncStream<TrialResult>.Continuation
    ) {
        defer { continuation.yield(TrialResult.none) }
        while !stop.isSet, let (number, scenario) = source.next() {
            let plan = plan(scenario, trial: number, directory: directory)
            let result: TrialResult
            do {
                let waker = try Waker()
                guard stop.register(waker) else {
                    // What the others may be waiting for does not come any more.
                    source.close()
                    return
                }
                result = Trial.run(plan, waker: waker)
                stop.release(waker)
            } catch { result = .notRun(plan, "make an eventfd to interrupt the trial by: \(error)") }
            source.finished(result)
            if let ledger = result.ledger, isDiscarded(result) { unlink(ledger) }
            continuation.yield(result)
        }
    }
}

/// Hands out trials to several threads.
public protocol TrialSource: Sendable {
    /// The next trial's number and scenario; nil when there are no more.
    func next() -> (number: Int, scenario: Scenario)?
    /// Told what came of each.
    func finished(_ result: TrialResult)
    /// Hands out no more.
    func close()
}

/// Hands out trials by number, their scenarios in turn.
private final class WorkQueue: TrialSource {
    private let left: Mutex<ArraySlice<Int>>
    private let scenarios: [Scenario]

    init(_ numbers: [Int], _ scenarios: [Scenario]) {
        left = Mutex(numbers[...])
        self.scenarios = scenarios
    }

    func next() -> (number: Int, scenario: Scenario)? {
        left.withLock { $0.popFirst() }.map { ($0, scenarios[($0 - 1) % scenarios.count]) }
    }

    func finished(_ result: TrialResult) {}

    func close() { left.withLock { $0 = [] } }
}

/// Stops a campaign from any thread, a signal's too: wakes every trial under way.
public final class StopSignal: Sendable {
    private let state = Mutex<(isSet: Bool, wakers: [Waker])>((false, []))
    /// What it is passed on to.
    private let followers = Mutex<[StopSignal]>([])

    /// A signal that nobody has given.
    public init() {}

    /// Whether it was given.
    public var isSet: Bool { state.withLock(\.isSet) }

    /// Gives the signal.
    public func set() {
        state.withLock { state in
            state.isSet = true
            for waker in state.wakers { waker.wake() }
        }
        for follower in followers.withLock(\.self) { follower.set() }
    }

    /// Does something that is stopped with this, and when a time has come.
    public func follow<Value>(
        until deadline: ContinuousClock.Instant?, _ body: (StopSignal) async throws -> Value
    ) async rethrows -> Value {
        try await follow { follower in
            let timer = deadline.map { deadline in
                Task {
                    // Broken off when the body is done first.
                    do { try await Task.sleep(until: deadline) } catch { return }
                    follower.set()
                }
            }
            defer { timer?.cancel() }
            return try await body(follower)
        }
    }

    /// Does something that may be stopped by itself and is stopped with this.
    func follow<Value>(_ body: (StopSignal) async throws -> Value) async rethrows -> Value {
        let follower = StopSignal()
        followers.withLock { $0.append(follower) }
        defer { followers.withLock { $0.removeAll { $0 === follower } } }
        // It may have been given before there was anybody to pass it on to.
        if isSet { follower.set() }
        return try await body(follower)
    }

    /// Has a trial woken when the signal is given; false when it was given already.
    func register(_ waker: Waker) -> Bool {
        state.withLock { state in
            guard !state.isSet else { return false }
            state.wakers.append(waker)
            return true
        }
    }

    func release(_ waker: Waker) {
        state.withLock { $0.wakers.removeAll { $0.descriptor === waker.descriptor } }
    }
}
