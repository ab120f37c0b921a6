import Evidence
import Platform
import Scenarios
import Topologies

/// The faults that happen to whole processes, at a point or by time, and the later acts that end them.
extension Gate {
    private static let starvePeriod: Int64 = 50_000_000

    /// Fires a fault that is placed by time.
    public func fire(_ index: Int) {
        let rule = plan.rules[index]
        var record = Injection(fault: rule.name, action: "")
        act(rule, at: nil, &record)
        finish(rule, record)
    }

    /// Does what a fault says to the processes that it means; without roles, to the one at the point.
    func act(_ rule: Rule, at call: HeldCall?, _ record: inout Injection) {
        switch rule.action {
        case .kill(nil, let signal): signalThread(signal, call, &record)
        case .kill(let roles, let signal): send(signal, to: targets(roles, call), &record)
        case .stop(let roles, _):
            let meant = targets(roles, call)
            // Whoever is held in exit_group(2) acts on no signal any more.
            let able = meant.filter { $0 !== call?.process || $0.exitCode == nil }
            guard meant.isEmpty || !able.isEmpty else {
                record.failure = "the call ends its process before a stop can act: stop it at an earlier one"
                return
            }
            let stopped = send(.stop, to: able, &record)
            guard let length = rule.length else { return }
            record.action = "stop \(Self.milliseconds(length)) ms"
            due.add(.resume(stopped, rule), at: Clock.now() + length)
        case .resume(let roles):
            willResume(targets(roles, call))
            send(.resume, to: targets(roles, call), &record)
        case .freeze(let roles, _): freeze(targets(roles, call), rule, &record)
        case .starve(let roles, let share, _): starve(targets(roles, call), share, rule, &record)
        case .memory(let roles, let bytes):
            record.action = "memory at most \(bytes >> 20) MiB"
            confine(targets(roles, call), &record) { try $0.boundMemory(bytes) }
        case .exhaust(let roles, _): exhaust(targets(roles, call), rule, &record)
        case .clock(let roles, let seconds): setClock(targets(roles, call), seconds, &record)
        default: record.failure = "it needs a call to happen to"
        }
    }

    private func targets(_ roles: RolePattern?, _ call: HeldCall?) -> [TrackedProcess] {
        roles.map { table.live($0) } ?? (call.map { [$0.process] } ?? [])
    }

    /// A signal without roles goes to the very thread at the point, as one that it brought on itself.
    private func signalThread(_ signal: Signal, _ call: HeldCall?, _ record: inout Injection) {
        record.action = signal.description
        guard let call else { return record.failure = "no process is at the point" }
        table.willEnd(call.process, isHeld: false)
        do {
            try ProcessLimits.send(
                signal.number, toThread: call.notification.thread, of: call.process.hostPid)
        } catch { record.failure = "the thread at the point is gone: \(error)" }
    }

    @discardableResult
    private func send(_ signal: Signal, to targets: [TrackedProcess], _ record: inout Injection) -> [TrackedProcess] {
        record.action = signal.description
        var reached: [TrackedProcess] = []
        for target in targets {
            table.willEnd(target, isHeld: false)
            // One that has ended by now is no target, be it that nobody has waited for it; that none is left is told below.
            guard let handle = target.handle, !handle.hasEnded, (try? handle.send(signal.number)) != nil else {
                continue
            }
            reached.append(target)
        }
        note(reached, &record)
        return reached
    }

    private func note(_ reached: [TrackedProcess], _ record: inout Injection) {
        record.targets = reached.map(\.subject)
        if reached.isEmpty, record.failure == nil { record.failure = "no live process is meant by it" }
    }

    // MARK: cgroups

    /// Puts processes into a group of their own within the trial's cgroup, and does something to it.
    @discardableResult
    private func confine(
        _ targets: [TrackedProcess], _ record: inout Injection, _ body: (TrialCgroup.Group) throws -> Void
    ) -> TrialCgroup.Group? {
        let live = targets.filter { !$0.hasExited }
        note(live, &record)
        guard !live.isEmpty else { return nil }
        guard let cgroup else {
            record.failure = "the trial has no cgroup on this host; 'fracas doctor' says why"
            return nil
        }
        do {
            let group = try cgroup.group(of: live.map(\.hostPid))
            try body(group)
            return group
        } catch {
            record.failure = "\(error)"
            return nil
        }
    }

    private func freeze(_ targets: [TrackedProcess], _ rule: Rule, _ record: inout Injection) {
        record.action = rule.length.map { "freeze \(Self.milliseconds($0)) ms" } ?? "freeze"
        guard let group = confine(targets, &record, { try $0.setFrozen(true) }), let length = rule.length else {
            return
        }
        due.add(.thaw(group, targets, rule), at: Clock.now() + length)
    }

    /// Frozen most of each period and let run for the rest of it: what a process sees of it is time that passes, no more.
    private func starve(_ targets: [TrackedProcess], _ share: Int, _ rule: Rule, _ record: inout Injection) {
        let length = rule.length ?? 0
        record.action = "starve to \(share) % for \(Self.milliseconds(length)) ms"
        guard let group = confine(targets, &record, { try $0.setFrozen(true) }) else { return }
        let now = Clock.now()
        due.add(
            .starve(group, targets, rule, isFrozen: true, share: share, end: now + length),
            at: now + Self.starvePeriod * Int64(100 - share) / 100)
    }

    // MARK: descriptors, clock

    private func exhaust(_ targets: [TrackedProcess], _ rule: Rule, _ record: inout Injection) {
        record.action =
            rule.length.map { "exhaust descriptors for \(Self.milliseconds($0)) ms" } ?? "exhaust descriptors"
        var bounds: [(process: TrackedProcess, bound: Int)] = []
        for target in targets where !target.hasExited {
            let open = target.descriptors()
            // New descriptors take the least free number: with the bound there, none can.
            let free = (Int32(0)...).first { open[$0] == nil } ?? 0
            do {
                bounds.append((target, try ProcessLimits.boundDescriptors(of: target.hostPid, to: Int(free))))
            } catch { record.failure = "bound the descriptors: \(error)" }
        }
        note(bounds.map(\.process), &record)
        if let length = rule.length { due.add(.restore(bounds, rule), at: Clock.now() + length) }
    }

    /// A clock is shared by everything below a process that Fracas started.
    private func setClock(_ targets: [TrackedProcess], _ seconds: Int, _ record: inout Injection) {
        record.action = "clock \(seconds < 0 ? "" : "+")\(seconds) s"
        var tops: [TrackedProcess] = []
        for target in targets {
            guard let top = table.topLevel(above: target), !tops.contains(where: { $0 === top }) else { continue }
            tops.append(top)
            if let failure = delegate.setClock(of: top, seconds: seconds) { record.failure = failure }
        }
        note(tops, &record)
    }

    // MARK: later acts

    /// How late a fault may end, in nanoseconds, before what follows is the harness's doing and no longer the target's.
    private static let tooLate: Int64 = 1_000_000_000

    /// The machine, or the harness, stood still: a target was held much longer than the schedule says. What it does from here on
    /// accuses nobody, and the trial cannot be judged.
    private func tellLate(_ late: Int64) {
        delegate.record(
            .trouble(
                Trouble(
                    message:
                        "the harness was \(Self.milliseconds(late)) ms late in ending a fault: the machine stood still, or has too much to do; use fewer --jobs"
                )))
        delegate.record(.autopsy)
    }

    /// Does what is due by `now`.
    public func perform(dueBy now: Int64) {
        while let (act, late) = due.take(dueBy: now) {
            if late > Self.tooLate { tellLate(late) }
            switch act {
            case .settle(let call): settle(call)
            case .expire(let rule, let call): expireHold(rule, of: call)
            case .resume(let processes, let rule):
                willResume(processes)
                for process in processes { try? process.handle?.send(Signal.resume.number) }
                tell(rule, Signal.resume.description, processes)
            case .thaw(let group, let processes, let rule):
                willResume(processes)
                try? group.setFrozen(false)
                tell(rule, "thaw", processes)
            case .starve(let group, let processes, let rule, let isFrozen, let share, let end):
                if now >= end {
                    if isFrozen { willResume(processes) }
                    try? group.setFrozen(false)
                    tell(rule, "starve no more", processes)
                } else {
                    if isFrozen { willResume(processes) }
                    try? group.setFrozen(!isFrozen)
                    let part = Int64(isFrozen ? share : 100 - share)
                    due.add(
                        .starve(group, processes, rule, isFrozen: !isFrozen, share: share, end: end),
                        at: min(end, now + Self.starvePeriod * part / 100))
                }
            case .restore(let bounds, let rule):
                for (process, bound) in bounds {
                    _ = try? ProcessLimits.boundDescriptors(of: process.hostPid, to: bound)
                }
                tell(rule, "descriptors restored", bounds.map(\.process))
            }
        }
    }

    private func tell(_ rule: Rule, _ action: String, _ processes: [TrackedProcess]) {
        delegate.record(.fault(Injection(fault: rule.name, action: action, targets: processes.map(\.subject))))
    }
}
