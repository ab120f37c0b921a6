public import Evidence
import Scenarios

/// A ledger with what checkers look up in it. What comes after the `autopsy` record describes and never accuses, so it is
/// kept apart.
public struct History: Sendable {
    /// What was tried.
    public let header: Header
    /// Every record.
    public let records: [Record]
    /// The records before the harness itself began to interfere.
    public let observed: ArraySlice<Record>
    /// The records after that.
    public let afterwards: ArraySlice<Record>
    /// Each exit that was observed, with its place in the ledger.
    let exits: [(seq: Int, exit: Exit)]
    /// Each line that was observed.
    let lines: [(seq: Int, line: Line)]
    /// Signals that faults sent, by the process they were sent to.
    let signalsOfFaults: [Int32: Set<Signal>]
    /// Signals that steps sent, by the process they were sent to.
    let signalsOfSteps: [Int32: Set<Signal>]

    /// Every signal that faults and steps sent.
    let sent: [SentSignal]
    /// The processes that were killed by them.
    let kills: [Kill]
    /// Whose child each process is, by their ids.
    let parents: [Int32: Int32]

    /// What must hold, with what may stay besides because a process was killed.
    let expect: Expectations

    /// A history; nil when the records do not begin with a header this version reads.
    public init?(_ records: [Record]) {
        guard case .trial(let header)? = records.first?.event, header.format == Header.currentFormat else { return nil }
        self.header = header
        self.records = records
        let cut = records.firstIndex { $0.event == .autopsy } ?? records.endIndex
        observed = records[..<cut]
        exits = records[..<cut].compactMap { record in
            guard case .exit(let exit) = record.event else { return nil }
            return (record.seq, exit)
        }
        lines = records[..<cut].compactMap { record in
            guard case .line(let line) = record.event else { return nil }
            return (record.seq, line)
        }
        afterwards = records[cut...]
        (signalsOfFaults, signalsOfSteps) = Self.signals(records[..<cut])
        failedStart = Self.failedStart(records[..<cut], header.scenario.steps)
        (wasFaulty, touched, stopped) = Self.touches(records[..<cut])
        sent = Self.sent(records[..<cut])
        kills = Kill.all(exits, sent)
        parents = Self.parents(records[..<cut])
        expect = header.scenario.expect.allowing(kills.compactMap(\.role))
    }

    private static func signals(
        _ records: ArraySlice<Record>
    ) -> (faults: [Int32: Set<Signal>], steps: [Int32: Set<Signal>]) {
        var faults: [Int32: Set<Signal>] = [:]
        var steps: [Int32: Set<Signal>] = [:]
        for record in records {
            switch record.event {
            case .signal(let sent): steps[sent.subject.pid, default: []].insert(sent.signal)
            case .fault(let injection):
                guard injection.failure == nil, let signal = signal(of: injection) else { continue }
                for target in injection.targets { faults[target.pid, default: []].insert(signal) }
            default: break
            }
        }
        return (faults, steps)
    }

    /// The signal that an injection may bring on its targets: the one it sends, or the OOM killer's.
    static func signal(of injection: Injection) -> Signal? {
        if injection.action.hasPrefix("memory at most") { return .kill }
        return injection.action.split(separator: " ").first.flatMap { Signal(parsing: String($0)) }
    }

    /// What signals did to calls before the gate had received them; nil where nothing was.
    var brokenCalls: BrokenCalls? {
        for record in records.reversed() { if case .brokenCalls(let broken) = record.event { return broken } }
        return nil
    }

    /// The place of the `start` step that failed, or in which the topology did not become ready; nil for none.
    let failedStart: Int?
    /// Whether a fault was injected.
    let wasFaulty: Bool
    /// The processes that faults did something to but make them wait a while.
    let touched: Set<Int32>
    /// Those of them that were stopped.
    let stopped: Set<Int32>

    /// Whether the topology never stood, by itself: then how its processes ended says nothing of it.
    var startFailed: Bool { failedStart.map { !wasFaulty && !isRestart($0) } ?? false }

    /// Whether a `start` step is not a trial's first.
    func isRestart(_ index: Int) -> Bool {
        header.scenario.steps.prefix(index).contains { if case .start = $0.action { true } else { false } }
    }

    private static func failedStart(_ records: ArraySlice<Record>, _ steps: [Step]) -> Int? {
        for record in records {
            let index: Int? =
                switch record.event {
                case .step(let change) where change.state == .failed: change.index
                case .hang(let hang) where hang.missing != nil: steps.firstIndex { $0.name == hang.step }
                default: nil
                }
            guard let index, steps.indices.contains(index), case .start = steps[index].action else { continue }
            return index
        }
        return nil
    }

    /// What faults did to whom.
    private static func touches(_ records: ArraySlice<Record>) -> (any: Bool, touched: Set<Int32>, stopped: Set<Int32>)
    {
        var (any, touched, stopped): (Bool, Set<Int32>, Set<Int32>) = (false, [], [])
        for record in records {
            guard case .fault(let injection) = record.event, injection.failure == nil else { continue }
            any = true
            if injection.action.hasPrefix("delay") || injection.action.hasPrefix("released") { continue }
            let pids = injection.targets.isEmpty ? injection.at.map { [$0.pid] } ?? [] : injection.targets.map(\.pid)
            touched.formUnion(pids)
            if ["stop", "freeze", "SIGSTOP"].contains(where: injection.action.hasPrefix) { stopped.formUnion(pids) }
        }
        return (any, touched, stopped)
    }

    /// Whether the trial went through all its steps, be it that something outlived the last.
    var wentThroughItsSteps: Bool {
        for record in records {
            if case .end(let end) = record.event { return end.reason == .completed }
            if case .hang(let hang) = record.event, hang.step == nil { return true }
        }
        return false
    }

    /// Whether a signal that a fault sent ended this process.
    func wasKilledByFault(_ pid: Int32) -> Bool {
        exits.contains { _, exit in
            guard exit.subject.pid == pid, case .signal(let signal)? = exit.status else { return false }
            return signalsOfFaults[pid]?.contains(signal) == true
        }
    }

    /// A role without its indices, for signatures: `node.runner`.
    static func general(_ role: Role?) -> String {
        role?.general ?? "a process without a role"
    }

    /// A subject for people: `node[0].runner[1] (pid 12)`.
    static func name(_ subject: Subject) -> String {
        subject.role.map { "\($0) (pid \(subject.pid))" } ?? "pid \(subject.pid)"
    }
}
