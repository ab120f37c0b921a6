public import Scenarios

extension Fault {
    /// The longest that a delay in place of something else lasts.
    private static let longest = Duration.milliseconds(300)

    /// What does less and may do the same: the call merely comes late.
    var simplerKinds: [Fault] {
        guard let point, point.moment == .entry else { return [] }
        let time: Duration?
        switch action {
        case .hold(_, let most): time = min(most, Self.longest)
        // Only what happens to the process at the point itself is like a late call of it.
        case .stop(nil, let span), .freeze(nil, let span): time = min(span?.upper ?? Self.longest, Self.longest)
        case .starve(nil, _, let span): time = min(span.upper, Self.longest)
        default: time = nil
        }
        guard let time, time > .zero else { return [] }
        return [Fault(name: name, action: .delay(Span(time)), trigger: trigger)]
    }

    /// How long it lasts, where it may last shorter.
    var length: Duration? {
        switch action {
        case .delay(let span), .starve(_, _, let span): span.upper
        case .stop(_, let span), .freeze(_, let span), .exhaust(_, let span): span?.upper
        default: nil
        }
    }

    /// The same, so long.
    func lasting(_ time: Duration) -> Fault {
        var fault = self
        switch action {
        case .delay: fault.action = .delay(Span(time))
        case .starve(let roles, let share, _): fault.action = .starve(roles: roles, share: share, time: Span(time))
        case .stop(let roles, _): fault.action = .stop(roles: roles, time: Span(time))
        case .freeze(let roles, _): fault.action = .freeze(roles: roles, time: Span(time))
        case .exhaust(let roles, _): fault.action = .exhaust(roles: roles, time: Span(time))
        default: break
        }
        return fault
    }

    /// The same at some of the arrivals at which it is, counted from 0.
    func arrivals(_ part: Range<Int>) -> Fault {
        guard var point else { return self }
        point.window.nth = Point.Range(point.window.nth.lower + part.lowerBound * point.window.every)
        point.window.times = part.count
        if part.count == 1 { point.window.every = 1 }
        var fault = self
        fault.trigger = .point(point)
        return fault
    }

    /// What it does and where, for people.
    public var words: String {
        switch trigger {
        case .point(let point):
            let times = point.window.times.map { $0 > 1 ? " and \($0 - 1) more" : "" } ?? " and all that follow"
            let after = point.window.after.map { " after '\($0)'" } ?? ""
            return "\(deed) at \(point)\(times)\(after)"
        case .time(let after, let step):
            return "\(deed) \(after) after \(step.map { "'\($0)'" } ?? "the first step") began"
        }
    }

    private var deed: String {
        func of(_ roles: RolePattern?) -> String { roles.map { " of \($0)" } ?? "" }
        return switch action {
        case .kill(let roles, let signal): "\(signal) to \(roles?.description ?? "the thread")"
        case .stop(let roles, let time): "stop\(of(roles))\(time.map { " for \($0)" } ?? "")"
        case .freeze(let roles, let time): "freeze\(of(roles))\(time.map { " for \($0)" } ?? "")"
        case .exhaust(let roles, let time): "no free descriptor\(of(roles))\(time.map { " for \($0)" } ?? "")"
        case .starve(let roles, let share, let time): "\(share) % of the time\(of(roles)) for \(time)"
        case .resume(let roles): "continue\(of(roles))"
        case .memory(let roles, let bytes): "at most \(bytes) bytes\(of(roles))"
        case .clock(let roles, let seconds): "clock jump of \(seconds) s\(of(roles))"
        case .delay(let span): "delay of \(span)"
        case .hold(let until, _): "hold until '\(until)'"
        case .errno(let error): "\(error)"
        case .answer(let value): "answer \(value)"
        case .short(let range): "at most \(range.upper) bytes"
        case .poke(let argument, let bytes): "\(bytes.count) bytes into argument \(argument)"
        case .close(let way): "close \(way.rawValue)"
        }
    }
}

extension Scenario {
    /// Its faults and the points they refer to, a line each, for people.
    public var scheduleInWords: [String] {
        faults.map(\.words) + points.map { "where '\($0.name)' is \($0.point)" }
    }
}

extension Duration {
    /// Shorter times to try, the shortest first: by steps of about three from a millisecond on, and whole milliseconds of its own.
    var shorterRungs: [Duration] {
        var rungs: [Duration] = []
        var power = Duration.milliseconds(1)
        while power < self, rungs.count < 40 {
            rungs += [power, power * 3].filter { $0 < self }
            power *= 10
        }
        let whole = Duration.milliseconds(Int64(self / .milliseconds(1)))
        if whole < self, whole > .milliseconds(1), rungs.last != whole { rungs.append(whole) }
        return rungs
    }
}
