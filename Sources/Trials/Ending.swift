import Evidence
import Gate
import Glibc
import Platform
import Scenarios
import Topologies

/// How far the wait for what outlives the last step has come.
struct EndingProgress {
    var began: Int64 = 0
    /// What the processes had used of the processors before.
    var use: [Int32: ProcessorUse] = [:]
}

/// How a trial ends: the wait for processes that outlive the last step, the autopsy of a hang, the census.
extension TrialLoop {
    /// How long processes may take to print their stacks and end after a hang was recorded.
    private static let autopsyTime: Int64 = 3_000_000_000

    /// After the last step: gives whatever is left its time to end by itself.
    func beginEnding() {
        let now = Clock.now()
        ending = EndingProgress(began: now, use: useOfProcessors())
        stage = .ending(deadline: now + plan.scenario.limits.orphanGrace.nanoseconds)
    }

    /// - Returns: whether the trial moved on to another stage.
    func endIsReached(_ isTimeUp: Bool) -> Bool {
        let left = observation?.processes() ?? []
        // A zombie without a living parent is init's to reap, which it tells us when it has.
        let untold = gate.table.all.filter { !$0.hasExited }
        guard (left.isEmpty && untold.isEmpty) || isTimeUp else { return false }
        let alive = left.filter { $0.state != "Z" }
        if !alive.isEmpty, let later = laterEnding(Clock.now()) {
            stage = .ending(deadline: later)
            return false
        }
        if alive.isEmpty {
            for process in untold where !left.contains(where: { $0.pid == process.pid }) {
                trouble(
                    "\(process.role?.description ?? "process \(process.pid)") is gone, and the kernel never told how")
            }
            finish(.completed)
        } else {
            outlive(alive.map(\.pid), waited: Clock.now() - ending.began)
        }
        return true
    }

    /// What outlived the last step cannot end by itself any more.
    func outlives(_ threads: Int) {
        guard case .ending = stage else { return }
        let alive = (observation?.processes() ?? []).filter { $0.state != "Z" }
        outlive(alive.map(\.pid), waited: Clock.now() - ending.began, standstill: threads)
    }

    private func outlive(_ alive: [Int32], waited: Int64, standstill: Int? = nil) {
        takeCensus()
        examine(
            Hang(
                step: nil, waited: waited,
                waitingFor: alive.map { Subject(pid: $0, role: gate.table.process(pid: $0)?.role) },
                detail: "the end of what outlived the last step", standstill: standstill), since: ending.use)
    }

    /// Records where everything is stuck, then asks Python processes for their stacks: faulthandler, which the topology
    /// turns on with `PYTHONFAULTHANDLER`, answers `SIGABRT` with them.
    func examine(_ hang: Hang, since use: [Int32: ProcessorUse] = [:]) {
        let live = gate.table.all.filter { !$0.hasExited }
        var hang = hang
        let held = gate.processesHeld
        hang.doing = live.map { process in
            Activity.doing(process, since: use[process.hostPid], isHeld: held.contains { $0 === process })
        }
        record(.hang(hang))
        for process in live {
            for thread in Activity.stuckThreads(of: process, in: gate.table) { record(.stuck(thread)) }
        }
        record(.autopsy)
        gate.releaseAll()
        let asked = live.filter { process in
            let environment = ProcFile.bytes("/proc/\(process.hostPid)/environ") ?? []
            return environment.split(separator: 0).contains { $0.starts(with: "PYTHONFAULTHANDLER=".utf8) }
        }
        for process in asked {
            try? process.handle?.send(Signal.abort.number)
            try? process.handle?.send(Signal.resume.number)
        }
        // Where nobody was asked nothing comes that would wake the loop.
        stage = .autopsy(deadline: Clock.now() + (asked.isEmpty ? 0 : Self.autopsyTime), asked: asked)
    }

    /// - Returns: whether the trial moved on to another stage.
    func autopsyIsDone(_ asked: [TrackedProcess], _ isTimeUp: Bool) -> Bool {
        guard isTimeUp || asked.allSatisfy({ $0.hasExited || $0.role == nil }) else { return false }
        finish(.hung)
        return true
    }

    /// Somebody wants the run to stop.
    func interrupt() {
        finish(.interrupted)
    }

    private func takeCensus() {
        guard let observation else { return }
        record(.census(observation.census(gate.table, decided: gate.decided, intercepted: gate.intercepted)))
    }

    private func tallyCalls() {
        func tally(_ subject: Subject?, _ counts: [(Int32, Int)]) {
            let calls = counts.map { number, count in
                (number == TrackedProcess.otherCalls ? "other" : CallNames.name(of: number) ?? String(number), count)
            }
            if !calls.isEmpty { record(.tally(Tally(subject: subject, calls: Dictionary(calls) { $0 + $1 }))) }
        }
        for process in gate.table.all {
            tally(
                process.subject,
                process.calls.indices.filter { process.calls[$0] > 0 }.map { (Int32($0), Int(process.calls[$0])) })
        }
        if gate.unattributed > 0 { tally(nil, [(-1, gate.unattributed)]) }
    }

    /// Why a fault on a channel may not have fired although what it waits for happened.
    private func tellUntoldSockets() {
        let missed = plan.scenario.faults.first { fault in
            fault.point?.conditions.channel != nil && !fault.isOptional && !gate.reachedNames.contains(fault.name)
        }
        guard gate.hasUntoldSockets, let fault = missed else { return }
        trouble(
            "'\(fault.name)' is on a channel, and processes of its roles use sockets of which is not known what is at their other ends: this kernel does not tell (CONFIG_UNIX_DIAG), or they are in a network of their own. Only pipes are channels then"
        )
    }

    /// Writes what a complete ledger ends with.
    func finish(_ reason: End.Reason) {
        if case .over = stage { return }
        recordDisturbances()
        tallyCalls()
        if let broken = gate.brokenCalls(listeners) { record(.brokenCalls(broken)) }
        if reason != .hung { takeCensus() }
        for capture in captures where capture.dropped > 0 {
            record(.lost(Loss(what: "output", subject: capture.process.subject, count: capture.dropped)))
        }
        tellUntoldSockets()
        if ledger.dropped > 0 { record(.lost(Loss(what: "records", subject: nil, count: ledger.dropped))) }
        record(.end(End(reason: reason)))
        stage = .over
    }
}
