import Evidence
import Platform
import Scenarios
import Schedules
import SystemPackage
import Topologies

/// The faults that happen to a call.
extension Gate {
    /// An injection's record, as far as it is the same for every fault.
    func injection(
        _ rule: Rule, _ nth: PointCounter.Arrival, _ call: HeldCall, action: String? = nil, failure: String? = nil
    ) -> Injection {
        Injection(
            fault: rule.name, action: action ?? rule.action?.kind ?? "", at: call.process.subject,
            call: CallNames.name(of: call.notification.call), channel: rule.point?.conditions.channel, nth: nth.nth,
            nthOfCall: nth.nthOfCall, targets: [call.process.subject], failure: failure)
    }

    /// Records an injection; one without a failure counts as fired.
    func finish(_ rule: Rule, _ injection: Injection) {
        delegate.record(.fault(injection))
        guard injection.failure == nil else { return }
        if case .kill(_, let signal)? = rule.action {
            for target in injection.targets { table.process(pid: target.pid)?.dealings.signalsOfFaults.insert(signal) }
        }
        reach(rule)
    }

    /// Does to a held call, or at it, what a decision says: the call has reached its point.
    func apply(_ rule: Rule, _ nth: PointCounter.Arrival, to call: HeldCall) {
        guard let action = rule.action else {
            delegate.record(.point(reached(rule, nth, by: call)))
            reach(rule)
            return
        }
        var record = injection(rule, nth, call)
        switch action {
        case .delay:
            let length = rule.length ?? 0
            record.action = "delay \(Self.milliseconds(length)) ms"
            call.delay += length
        case .hold: return hold(rule, nth, call)
        case .errno(let error):
            record.action = "errno \(error)"
            call.answer = .error(error.number)
        case .answer(let value):
            record.action = "return \(value)"
            call.answer = .value(value)
        case .poke(let argument, let bytes):
            record.action = "poke \(bytes.count) bytes at argument \(argument)"
            let address = call.notification.argument(argument)
            if !ProcFile.write(bytes, to: call.notification.thread, at: address) {
                record.failure = "argument \(argument) points at no memory that can be written"
            }
        case .close(let way): close(way, call, &record)
        case .short: return
        default:
            act(rule, at: call, &record)
            if case .kill(_, let signal) = action, record.targets.contains(call.process.subject), !call.isAtExit {
                if !call.endsCaller { call.mayBeSpared = signal.canBeCaught }
                call.endsCaller = call.endsCaller || call.process.isEnded(by: signal)
            }
        }
        if call.isAtExit { record.action += " at return" }
        finish(rule, record)
    }

    private func reached(_ rule: Rule, _ nth: PointCounter.Arrival, by call: HeldCall) -> Reached {
        Reached(
            point: rule.name, at: call.process.subject, call: CallNames.name(of: call.notification.call),
            moment: call.isAtExit ? .exit : .entry, nth: nth.nth,
            object: call.mark ?? matcher.object(of: call.notification),
            channel: call.mark == nil ? matcher.channel(of: call.notification, call.process, table) : nil,
            thread: call.notification.thread - call.process.hostPid)
    }

    static func milliseconds(_ nanoseconds: Int64) -> String {
        let tenths = (nanoseconds + 50_000) / 100_000
        return tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths / 10).\(tenths % 10)"
    }

    // MARK: hold

    private func hold(_ rule: Rule, _ nth: PointCounter.Arrival, _ call: HeldCall) {
        guard let until = rule.until else { return }
        let name = plan.names[until]
        if hasReached(until) {
            finish(rule, injection(rule, nth, call, action: "hold: \(name) had come already"))
            return
        }
        delegate.record(.fault(injection(rule, nth, call, action: "hold until \(name)")))
        call.holds.append((rule, nth))
        due.add(.expire(rule, call), at: Clock.now() + (rule.length ?? 0))
        // Nothing has fired, but the trial's timer must be set.
        hasNews = true
    }

    // MARK: short transfers

    /// The argument to change of a call that enters, and to what, for a short transfer.
    func shorten(_ call: HeldCall) -> (index: Int, value: UInt64)? {
        let bounds = call.tracings.compactMap { tracing -> Int? in
            if case .short = tracing.rule.action { return tracing.rule.bytes }
            return nil
        }
        return bounds.min().flatMap { shortened(call, to: $0) }
    }

    /// The argument to change for at most so many bytes, and to what; nil when the call asks for no more by itself.
    private func shortened(_ call: HeldCall, to bound: Int) -> (index: Int, value: UInt64)? {
        guard let known = plan.known(call.notification.call), let index = known.length ?? known.vectorCount else {
            return nil
        }
        // Of a vector only whole buffers can be left out.
        let most = known.length == nil ? 1 : UInt64(bound)
        return call.notification.argument(index) > most ? (index, most) : nil
    }

    func finishShort(_ rule: Rule, _ nth: PointCounter.Arrival, _ call: HeldCall, _ answer: Int64) {
        var record = injection(rule, nth, call, action: "short \(rule.bytes)")
        if shortened(call, to: rule.bytes) != nil {
            record.action += answer < 0 ? ": failed by itself" : ": \(answer) transferred"
        } else {
            record.failure = "the call asked for no more than that by itself"
        }
        finish(rule, record)
    }

    // MARK: close

    private func close(_ way: Fault.Closing, _ call: HeldCall, _ record: inout Injection) {
        record.action = "close \(way.rawValue)"
        guard let known = plan.known(call.notification.call), let argument = known.descriptor,
            let handle = call.process.handle
        else {
            record.failure = "the call is on no descriptor"
            return
        }
        let number = Int32(truncatingIfNeeded: call.notification.argument(argument))
        do {
            switch way {
            case .sending, .receiving: try handle.duplicate(number).shutDown(receiving: way == .receiving)
            case .reset:
                let socket = try handle.duplicate(number)
                guard [ipv4, ipv6].contains(socket.family) else {
                    record.failure = "descriptor \(number) is no TCP connection, and only those can be reset"
                    return
                }
                try socket.disconnect()
            case .peer, .own, .descriptor:
                let holders = way == .own ? matcher.otherHolders(of: number, in: call.process, table) : []
                guard holders.isEmpty else {
                    let names = holders.map { $0.role?.description ?? "process \($0.pid)" }.joined(separator: ", ")
                    record.failure = "the same end is also held by \(names), so its peer would not find it closed"
                    return
                }
                let isSocket = (try? handle.duplicate(number).isSocket) ?? false
                let replacement = try replacement(way, isSocket: isSocket, isWrite: known.isWrite)
                if !call.listener.replace(number, with: replacement, in: call.notification.id) {
                    record.failure = "the caller was gone before its descriptor could be replaced"
                }
            }
        } catch { record.failure = "close \(way.rawValue) of descriptor \(number): \(error)" }
    }

    /// What stands for a closed thing: a pipe or socket whose far end is closed, a file that swallows all, or one that is open
    /// only for the other direction, which answers `EBADF` as a closed one does.
    private func replacement(
        _ way: Fault.Closing, isSocket: Bool, isWrite: Bool
    ) throws(Errno) -> Descriptor {
        switch way {
        case .descriptor: return try Descriptor.open("/dev/null", flags: isWrite ? 0 : 1)
        case .own where !isSocket: return try Descriptor.open("/dev/null", flags: isWrite ? 1 : 0)
        default:
            if isSocket {
                let (end, far) = try Descriptor.socketPair()
                // What is sent on one's own closed end goes nowhere, but must have somewhere to go.
                if way == .own, isWrite { keptOpen.append(far) }
                return end
            }
            let ends = try Descriptor.pipe()
            return isWrite ? ends.write : ends.read
        }
    }
}

/// `AF_INET` and `AF_INET6`.
private let ipv4: Int32 = 2
private let ipv6: Int32 = 10
