import Evidence
import Gate
import Glibc
import Platform
import Scenarios
import Schedules
import SystemPackage
import Topologies

/// The event loop of one trial. Stopped calls come on threads that wait for nothing else (`GateThread`), everything other, from
/// a line of output to the end of a process, through one poller on the trial's own thread; all of it under one lock, and so in
/// one order.
final class TrialLoop {
    let plan: TrialPlan
    let ledger: LedgerWriter
    let sandbox: Sandbox
    let poller: Poller
    let schedule: Schedule
    let filter: Filter
    let start = Clock.now()
    let gate: Gate
    let host: HostWatch
    private(set) var observation: Observation?
    var captures: [Capture] = []
    let lock = TrialLock()
    var gateThreads: [GateThreads] = []
    /// The kernel's ends of the filters, one a process that Fracas started.
    var listeners: [Listener] = []
    /// Made readable by a gate thread when something has happened that the loop may be waiting for.
    let news: Waker
    var isNewsTold = false
    private let timer: Timer
    private let waker: Waker
    private let hooks = GateHooks()
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
    var lines: LineCounter
    var starts = ProcessStarts()
    private var timed: [(time: Int64, index: Int)] = []
    var stage: Stage = .settingUp
    /// How long Fracas itself stood still so far: everything may take so much longer.
    var lostTime: Int64 = 0
    var standstillWatch = StandstillWatch()
    var listenerWatch = ListenerWatch()
    var ending = EndingProgress()
    /// Whether something has happened that a step, a deadline or the end may wait for.
    private var hasNews = true
    /// What the timer is set to.
    private var timerSetTo: Int64?

    /// How far a trial has come.
    enum Stage {
        case settingUp
        case stepping(StepProgress)
        case ending(deadline: Int64)
        case autopsy(deadline: Int64, asked: [TrackedProcess])
        case over
    }

    enum Token {
        static let sandbox: UInt64 = 1
        static let timer: UInt64 = 2
        static let waker: UInt64 = 3
        static let children: UInt64 = 4
        static let news: UInt64 = 5
        static let capture: UInt64 = 2 << 32
        static let process: UInt64 = 3 << 32
        static let exec: UInt64 = 4 << 32
    }

    init(_ plan: TrialPlan, ledger: LedgerWriter, waker: Waker) throws {
        self.plan = plan
        self.ledger = ledger
        self.waker = waker
        schedule = Schedule(of: plan.scenario, seed: plan.seed)
        filter = try Filter(for: plan.scenario)
        let table = try ProcessTable(plan.scenario.topology)
        lines = try LineCounter(plan.scenario)
        host = HostWatch(start: start)
        poller = try Poller()
        timer = try Timer()
        news = try Waker()
        sandbox = try WarmStart.sandbox(of: plan)
        gate = try Gate(
            plan.scenario, schedule: schedule, table: table, cgroup: plan.sandbox.cgroup.map(TrialCgroup.init),
            delegate: hooks)
        hooks.loop = self
        try poller.add(sandbox.descriptor, token: Token.sandbox)
        try poller.add(timer.descriptor, token: Token.timer)
        try poller.add(waker.descriptor, token: Token.waker)
        try poller.add(news.descriptor, token: Token.news)
        if gate.followsCalls {
            guard let changes = ThreadTrace.changes else {
                throw TrialError("follow calls to their return: this host gives no descriptor for changes of children")
            }
            try poller.add(changes, token: Token.children, edge: true)
        }
    }

    deinit { buffer.deallocate() }

    /// Runs until the trial is over.
    func run() {
        // The trial's processes wake up with the events that this thread is told of: they go first, as without it.
        ThreadShare.giveWay()
        let limit = start + plan.scenario.limits.trial.nanoseconds
        while true {
            locked { catchUp(limit) }
            if case .over = stage { return }
            do {
                try poller.wait { ready in locked { handle(ready) } }
            } catch {
                locked {
                    trouble("wait for events: \(error)")
                    stage = .over
                }
            }
        }
    }

    /// Ends every process of the trial; nothing of it is left then.
    func end() {
        sandbox.beginEnd()
        gate.endFollowing()
        sandbox.end()
        for thread in gateThreads { thread.join() }
        hooks.loop = nil
    }

    private func catchUp(_ limit: Int64) {
        if hasNews || gate.hasNews {
            hasNews = false
            gate.hasNews = false
            isNewsTold = false
            let now = Clock.now()
            giveBackLostTime(now)
            gate.perform(dueBy: now)
            fireTimed(now)
            gate.followCalls()
            tellChanges()
            lines.settle(now, isHeld: !gate.isIdle)
            advance(now, limit: limit + lostTime)
            watchForStandstill(now)
        }
        let deadline = nextDeadline(limit + lostTime)
        if deadline != timerSetTo {
            timer.set(deadline)
            timerSetTo = deadline
        }
    }

    private func nextDeadline(_ limit: Int64) -> Int64 {
        var next = limit
        switch stage {
        case .stepping(let progress): next = min(next, progress.deadline)
        case .ending(let deadline): next = min(next, deadline)
        case .autopsy(let deadline, _): next = deadline
        case .settingUp, .over: break
        }
        if let due = gate.nextDue { next = min(next, due) }
        for look in [standstillWatch.next, lines.next, listenerWatch.next] { if let look { next = min(next, look) } }
        if let first = timed.first { next = min(next, first.time) }
        return next
    }

    private func handle(_ ready: Poller.Ready) {
        let index = Int(ready.token & 0xFFFF_FFFF)
        hasNews = true
        switch ready.token {
        case Token.sandbox: while let message = sandbox.receive() { if !handle(message) { break } }
        case Token.timer:
            timer.clear()
            timerSetTo = nil
        case Token.news: news.clear()
        case Token.children: break
        case Token.waker: interrupt()
        case Token.capture..<Token.process: read(captures[index])
        case Token.process..<Token.exec: processChanged(gate.table.all[index])
        default: launcherLeft(gate.table.all[index])
        }
    }

    // MARK: what the sandbox tells

    /// - Returns: false when there will be no more.
    private func handle(_ message: Sandbox.Message) -> Bool {
        switch message {
        case .ready(let proc, let temporary, let sharedMemory, let sockets):
            let peers = SocketPeers.areTold ? sockets.flatMap(SocketPeers.init) : nil
            gate.knowSockets(peers)
            observation = Observation(
                proc: proc, temporary: temporary, sharedMemory: sharedMemory, sockets: peers,
                visible: plan.sandbox.visible + plan.sandbox.writable)
            if let observation, let failure = Faketime.prepare(plan, in: observation) { trouble(failure) }
            beginStep(0)
        case .started(let request, let pid, let handle, let listener):
            processStarted(request, pid, handle, listener)
        case .reaped(let pid, let status, let failure):
            // The id may be another process's by now.
            guard let process = gate.table.process(pid: pid), process.handle?.hasEnded ?? true else { break }
            process.reapedStatus = status
            if let failure { programFailed(process, failure) }
            end(process)
        case .forged(let pid):
            trouble(
                "process \(pid) of the trial wrote to Fracas in the name of the trial's init, which alone tells what has ended: the "
                    + "target attacks the trial, and what it claims is not believed")
        case .failed(let request, let reason, let error):
            requestFailed(request, reason, error)
            if request == 0 { stage = .over }
        case .gone:
            poller.remove(sandbox.descriptor)
            if case .over = stage { return false }
            if case .settingUp = stage {
                trouble("the trial's init is gone: something outside ended it, or its namespaces could not be set up")
            }
            finish(.failed)
            return false
        }
        return true
    }

    // MARK: output and records

    func read(_ capture: Capture) {
        let goesOn = capture.read(into: buffer) { text in
            record(.line(Line(subject: capture.process.subject, stream: capture.stream, text: text)))
            lines.take(text, of: capture.process, in: gate.table, Clock.now())
        }
        if !goesOn { poller.remove(capture.source) }
    }

    /// Puts something into the ledger, with the time it is now.
    func record(_ event: Event) { ledger.append(event, time: Clock.now() - start) }

    /// Records that the harness could not do its work.
    func trouble(_ message: String) { record(.trouble(Trouble(message: message))) }

    // MARK: faults by time

    /// Sets the faults that are placed by time after this step.
    func setTimedFaults(step: String, isFirst: Bool, now: Int64) {
        for (index, decision) in schedule.decisions.enumerated() {
            guard let after = decision.after, decision.step == step || (decision.step == nil && isFirst)
            else { continue }
            timed.append((now + after, index))
        }
        timed.sort { $0.time < $1.time }
    }

    /// Whether a fault that is placed by time is still to come.
    var isFaultToCome: Bool { !timed.isEmpty }

    private func fireTimed(_ now: Int64) {
        while let first = timed.first, first.time <= now {
            timed.removeFirst()
            gate.fire(first.index)
        }
    }
}

/// Passes the gate's calls on to the loop that owns it. The two own each other until the loop's end: a weak reference would make
/// every other one to the loop slower, also where a stopped call is waiting for it.
final class GateHooks: GateDelegate {
    var loop: TrialLoop?

    func record(_ event: Event) { loop?.record(event) }

    func gate(_ listener: Listener, holds process: TrackedProcess, command: String, isNew: Bool, in id: UInt64) {
        loop?.shown(process, command: command, isNew: isNew, listener: listener, id: id)
    }

    func setClock(of process: TrackedProcess, seconds: Int) -> String? {
        guard let loop, let observation = loop.observation, let role = process.role else {
            return "it is no process of this trial's"
        }
        return Faketime.set(seconds, for: role, in: observation)
    }

    func gateSeesExit(of process: TrackedProcess) {
        guard process.role != nil, let loop else { return }
        let held = Set(process.descriptors().values)
        // What the launcher has open is not what a program holds that never ran.
        if let pipe = process.launcherHolds, held.contains(pipe) { return }
        process.heldAtExit = held
        if loop.gate.trialCgroup == nil { loop.host.ends(process) }
        loop.record(.holdings(Observation.holdings(of: process, in: loop.gate.table)))
    }
}
