public import Evidence
import Platform
public import Schedules
public import Scenarios
public import Topologies

/// What the gate tells the trial that owns it. All calls come on the trial's thread.
public protocol GateDelegate: AnyObject {
    /// Something to put in the ledger.
    func record(_ event: Event)
    /// A process was born or has a new program; the kernel holds it in the call `id` meanwhile.
    func gate(_ listener: Listener, holds process: TrackedProcess, command: String, isNew: Bool, in id: UInt64)
    /// A process has called `exit_group(2)`; the kernel holds it meanwhile.
    func gateSeesExit(of process: TrackedProcess)
}

/// Decides every call the kernel hands over: whose it is, whether a fault's point is reached, and what happens then.
/// Confined to the trial's thread; nothing in it is shared with another trial.
public final class Gate {
    /// How many calls the kernel has handed over.
    public private(set) var intercepted = 0
    /// How many of them were decided.
    public private(set) var decided = 0
    /// The processes of the trial.
    public var table: ProcessTable
    /// Which faults have fired so far.
    public private(set) var fired: Set<String> = []
    private weak var delegate: (any GateDelegate)?
    private let schedule: Schedule
    private var counter: PointCounter
    private var channels: ChannelMap
    private let places: [[Int32]]
    private let callNumbers: CallNumbers
    private let patterns: [Regex<AnyRegexOutput>?]
    private var due: [Due] = []

    /// A later act: letting a delayed call go on, or continuing what was stopped.
    private struct Due {
        let time: Int64
        let act: Act
        enum Act {
            case proceed(Listener, UInt64)
            case resume([TrackedProcess], fault: String)
        }
    }

    /// A gate for one trial.
    /// - Throws: `GateError` when a fault's line pattern is not a regular expression.
    public init(
        _ scenario: Scenario, schedule: Schedule, table: ProcessTable, delegate: any GateDelegate
    ) throws(GateError) {
        self.schedule = schedule
        self.table = table
        self.delegate = delegate
        counter = PointCounter(schedule)
        channels = ChannelMap(scenario.topology.channels)
        let numbers = CallNumbers()
        callNumbers = numbers
        places = schedule.decisions.map { numbers.numbers(for: $0.fault.trigger) }
        do {
            patterns = try schedule.decisions.map { decision in
                guard case .point(let point) = decision.fault.trigger, case .line(let text) = point.place else {
                    return nil
                }
                return try Regex(text)
            }
        } catch { throw GateError("a fault's line pattern: \(error)") }
    }

    /// When the next delayed act is due, in nanoseconds of `Clock`; nil when none is.
    public var nextDue: Int64? { due.first?.time }

    /// Takes one call from a listener and decides it.
    public func serve(_ listener: Listener) {
        guard let notification = listener.receive() else { return }
        intercepted += 1
        guard let process = recognize(notification, listener) else {
            listener.proceed(notification.id)
            decided += 1
            return
        }
        if notification.call == callNumbers.write, notification.arguments.0 & 0xFFFF_FFFF == Filter.markDescriptor {
            readMark(notification, of: process, listener)
        }
        var decision = Decision()
        if process.role != nil { reachPoints(notification, process, listener, &decision) }
        decided += 1
        // A call that is let go on races with the signal that ends its process, and may win: it is never answered instead.
        if decision.endsCaller { return }
        if let errno = decision.errno {
            listener.fail(notification.id, errno: errno)
        } else if decision.delay > 0 {
            add(Due(time: Clock.now() + decision.delay, act: .proceed(listener, notification.id)))
        } else {
            listener.proceed(notification.id)
        }
    }

    private struct Decision {
        var errno: Int32?
        var delay: Int64 = 0
        var endsCaller = false
    }

    /// Finds out whose call it is, and tells of births and ends.
    private func recognize(_ notification: Notification, _ listener: Listener) -> TrackedProcess? {
        let announces = callNumbers.announcing.contains(notification.call)
        let process: TrackedProcess
        switch table.identify(notification.thread, announces: announces) {
        case .gone: return nil
        case .known(let known): process = known
        case .born(let born, let command):
            process = born
            delegate?.gate(listener, holds: born, command: command, isNew: true, in: notification.id)
        case .changed(let changed, let command):
            process = changed
            delegate?.gate(listener, holds: changed, command: command, isNew: false, in: notification.id)
        }
        if callNumbers.executing.contains(notification.call) {
            table.entersNewProgram(process)
        } else if notification.call == callNumbers.exit {
            process.exitCode = Int32(notification.arguments.0 & 0xFF)
            delegate?.gateSeesExit(of: process)
        }
        return process
    }

    private func reachPoints(
        _ notification: Notification, _ process: TrackedProcess, _ listener: Listener, _ decision: inout Decision
    ) {
        guard let role = process.role else { return }
        for (index, calls) in places.enumerated() where calls.contains(notification.call) {
            let fault = schedule.decisions[index].fault
            guard case .point(let point) = fault.trigger, point.roles.matches(role) else { continue }
            var channel: String?
            switch point.place {
            case .call: break
            case .line:
                guard let pattern = patterns[index],
                    writesLine(matching: pattern, notification, process, listener)
                else { continue }
            case .channel(let name, _):
                channel = channels.channel(
                    of: process, descriptor: Int32(truncatingIfNeeded: notification.arguments.0),
                    isWrite: callNumbers.isWrite(notification.call), in: table)
                guard channel == name else { continue }
            }
            guard let nth = counter.arrive(role, at: index) else { continue }
            var injection = Injection(
                fault: fault.name, action: "", at: process.subject, call: CallNames.name(of: notification.call),
                channel: channel, nth: nth)
            if case .close(let end) = fault.action {
                close(end, notification, process, listener, &injection)
            } else {
                act(index, at: process, &injection)
            }
            if case .delay = fault.action { decision.delay += schedule.decisions[index].length ?? 0 }
            if case .errno(let error) = fault.action { decision.errno = error.number }
            if case .kill(_, let signal) = fault.action, injection.targets.contains(process.subject) {
                decision.endsCaller = decision.endsCaller || process.isEnded(by: signal)
            }
            finish(injection)
        }
    }

    /// Fires a fault that is placed by time.
    public func fire(_ index: Int) {
        var injection = Injection(fault: schedule.decisions[index].fault.name, action: "")
        act(index, at: nil, &injection)
        finish(injection)
    }

    private func finish(_ injection: Injection) {
        if injection.failure == nil { fired.insert(injection.fault) }
        delegate?.record(.fault(injection))
    }

    private func act(_ index: Int, at process: TrackedProcess?, _ injection: inout Injection) {
        let decision = schedule.decisions[index]
        switch decision.fault.action {
        case .kill(let roles, let signal): send(signal, to: roles, at: process, &injection)
        case .stop(let roles, _):
            let stopped = send(.stop, to: roles, at: process, &injection)
            guard let length = decision.length else { return }
            injection.action = "stop \(milliseconds(length)) ms"
            add(Due(time: Clock.now() + length, act: .resume(stopped, fault: decision.fault.name)))
        case .resume(let roles): send(.resume, to: roles, at: process, &injection)
        case .delay:
            injection.action = "delay \(milliseconds(decision.length ?? 0)) ms"
            injection.targets = process.map { [$0.subject] } ?? []
        case .errno(let error):
            injection.action = "errno \(error)"
            injection.targets = process.map { [$0.subject] } ?? []
        case .close: injection.failure = "a channel can only be closed at a point on it"
        }
    }

    private func milliseconds(_ nanoseconds: Int64) -> String {
        let tenths = (nanoseconds + 50_000) / 100_000
        return tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths / 10).\(tenths % 10)"
    }

    @discardableResult
    private func send(
        _ signal: Signal, to roles: RolePattern?, at process: TrackedProcess?, _ injection: inout Injection
    ) -> [TrackedProcess] {
        injection.action = signal.description
        let targets = roles.map { table.live($0) } ?? (process.map { [$0] } ?? [])
        var reached: [TrackedProcess] = []
        for target in targets {
            // One that has ended by now is no target; that none is left is told below.
            guard let handle = target.handle, (try? handle.send(signal.number)) != nil else { continue }
            reached.append(target)
        }
        injection.targets = reached.map(\.subject)
        if reached.isEmpty { injection.failure = "no live process is \(roles?.description ?? "at the point")" }
        return reached
    }

    private func close(
        _ end: Fault.End, _ notification: Notification, _ process: TrackedProcess, _ listener: Listener,
        _ injection: inout Injection
    ) {
        let number = Int32(truncatingIfNeeded: notification.arguments.0)
        injection.action = "close \(end.rawValue)"
        injection.targets = [process.subject]
        do {
            let replacement: Descriptor
            switch end {
            case .peer:
                let ends = try Descriptor.pipe()
                replacement = callNumbers.isWrite(notification.call) ? ends.write : ends.read
            case .own:
                let holders = channels.otherHolders(of: number, in: process, table: table)
                guard holders.isEmpty else {
                    let names = holders.map { $0.role?.description ?? "process \($0.pid)" }.joined(separator: ", ")
                    injection.failure = "the same end is also held by \(names), so its peer would not find it closed"
                    return
                }
                replacement = try Descriptor.open("/dev/null", flags: callNumbers.isWrite(notification.call) ? 1 : 0)
            }
            if !listener.replace(number, with: replacement, in: notification.id) {
                injection.failure = "the caller was gone before its descriptor could be replaced"
            }
        } catch { injection.failure = "make a replacement descriptor: \(error)" }
    }

    private func writesLine(
        matching pattern: Regex<AnyRegexOutput>, _ notification: Notification, _ process: TrackedProcess,
        _ listener: Listener
    ) -> Bool {
        guard notification.arguments.0 == 1 || notification.arguments.0 == 2 else { return false }
        let output = TargetMemory.output(of: notification, isVector: notification.call == callNumbers.writev)
        guard listener.isValid(notification.id) else { return false }
        guard let text = output else {
            delegate?.record(.lost(Loss(what: "looks at output", subject: process.subject, count: 1)))
            return false
        }
        return text.split(separator: "\n").contains { $0.firstMatch(of: pattern) != nil }
    }

    private func readMark(_ notification: Notification, of process: TrackedProcess, _ listener: Listener) {
        guard let text = TargetMemory.output(of: notification, isVector: false), listener.isValid(notification.id)
        else {
            delegate?.record(.lost(Loss(what: "marks", subject: process.subject, count: 1)))
            return
        }
        guard let mark = MarkText.parse(text, of: process.subject) else {
            let problem = "a mark of \(process.role?.description ?? "process \(process.pid)") is not a flat JSON object"
            delegate?.record(.trouble(Trouble(message: "\(problem) with a \"mark\" name: \(text.prefix(120))")))
            return
        }
        delegate?.record(.mark(mark))
    }

    private func add(_ item: Due) {
        let place = due.firstIndex { $0.time > item.time } ?? due.endIndex
        due.insert(item, at: place)
    }

    /// Does what is due by `now`.
    public func perform(dueBy now: Int64) {
        while let first = due.first, first.time <= now {
            due.removeFirst()
            switch first.act {
            case .proceed(let listener, let id): listener.proceed(id)
            case .resume(let processes, let fault):
                for process in processes { try? process.handle?.send(Signal.resume.number) }
                let injection = Injection(
                    fault: fault, action: Signal.resume.description, targets: processes.map(\.subject))
                delegate?.record(.fault(injection))
            }
        }
    }

    /// Lets every delayed call go on now, as when a trial is being torn down.
    public func releaseAll() { perform(dueBy: .max) }
}
