import Scenarios

/// Makes what can be tried out of a trace.
struct Candidates {
    /// How late an operation comes: much later than anything that happens by itself close to it.
    static let lateness = Duration.milliseconds(300)
    /// How late each operation of a kind comes, and at most how many of them.
    static let slowness = Duration.milliseconds(40)
    private static let mostSlow = 12

    let base: Int
    let scenario: Scenario
    let window: String
    let trace: Trace

    /// Everything of one kind.
    func all(_ kind: Candidate.Kind) -> [Candidate] {
        switch kind {
        case .invert: Inversions(trace).pairs.map(invert)
        case .kill: places(trace.window, VisibleCalls.effects).map { kill($0.0, $0.1) } + killsDuringStart
        case .delay: places(trace.window, VisibleCalls.all).compactMap { delay($0.0, $0.1) } + delaysDuringStart
        case .slow: slow
        case .request: requests
        case .orphan: killsOfOthers
        case .random: []
        }
    }

    /// Operations by one of these calls, each with its rank among those alike: the last, the first, then those between.
    private func places(_ operations: [Operation], _ calls: [String]) -> [(Operation, Double)] {
        let calls = Set(calls)
        let chosen = operations.filter { calls.contains($0.call) }
        return Dictionary(grouping: chosen, by: \.kind).values.flatMap { alike in
            zip(Self.spread(alike.count), 0...).map { (alike[$0], Double($1)) }
        }
        .sorted { ($0.1, $0.0.time) < ($1.1, $1.0.time) }
    }

    /// The numbers below `count`: the last, the first, the middle, and so on by halves.
    private static func spread(_ count: Int) -> [Int] {
        guard count > 1 else { return count == 1 ? [0] : [] }
        var order = [count - 1, 0]
        var gaps = [0..<(count - 1)]
        while !gaps.isEmpty {
            let gap = gaps.removeFirst()
            let middle = (gap.lowerBound + gap.upperBound) / 2
            guard middle > gap.lowerBound else { continue }
            order.append(middle)
            gaps += [gap.lowerBound..<middle, middle..<gap.upperBound]
        }
        return order
    }

    private func candidate(
        _ kind: Candidate.Kind, _ likeness: String, _ text: String, _ rank: Double, _ action: Fault.Action,
        _ point: Point,
        points: [NamedPoint] = [], isDuringStart: Bool = false
    ) -> Candidate {
        Candidate(
            kind: kind, base: base, likeness: "\(kind.rawValue) \(likeness)", text: text, rank: rank,
            faults: [Fault(name: kind.rawValue, action: action, trigger: .point(point))], points: points,
            isDuringStart: isDuringStart)
    }

    // MARK: one operation

    private func kill(_ operation: Operation, _ rank: Double) -> Candidate {
        candidate(
            .kill, operation.kind, "kill \(operation.role) at \(operation.point)", rank,
            .kill(roles: nil, signal: .kill),
            operation.point)
    }

    /// A child that dies before its topology stands must not keep it from standing, or from ending.
    private var killsDuringStart: [Candidate] {
        places(trace.start.filter { $0.role.segments.count > 1 }, VisibleCalls.lasting).map { operation, rank in
            candidate(
                .kill, "start \(operation.kind)", "kill \(operation.role) at \(operation.point)", rank,
                .kill(roles: nil, signal: .kill), operation.point)
        }
    }

    private func delay(_ operation: Operation, _ rank: Double) -> Candidate? {
        candidate(
            .delay, operation.kind, "delay \(operation.point)", rank, .delay(Span(Self.lateness)), operation.point)
    }

    private var delaysDuringStart: [Candidate] {
        places(trace.start, VisibleCalls.lasting).map { operation, rank in
            candidate(
                .delay, "start \(operation.kind)", "delay \(operation.point)", rank + 1, .delay(Span(Self.lateness)),
                operation.point)
        }
    }

    /// Every operation of a kind and process, from the first on.
    private var slow: [Candidate] {
        let groups = Dictionary(grouping: trace.window) { "\($0.role) \($0.kind)" }
        return groups.values.compactMap { alike in
            guard let first = alike.first, alike.count > 1 else { return nil }
            var point = first.point
            point.window.times = Self.mostSlow
            return candidate(
                .slow, first.kind, "slow \(point)", Double(first.role.segments.last?.index ?? 0),
                .delay(Span(Self.slowness)),
                point)
        }
        .sorted { $0.text < $1.text }
    }

    // MARK: two operations

    private func invert(_ pair: Inversions.Pair) -> Candidate {
        var second = pair.second.point
        if case .calls = second.place, !VisibleCalls.waiting.contains(pair.second.call),
            SystemCalls.call(pair.second.call)?.returns == true
        {
            second.moment = .exit
        }
        return candidate(
            .invert, "\(pair.first.kind) | \(pair.second.kind)", "hold \(pair.first.point) until \(second)",
            pair.distance,
            .hold(until: "second", atMost: Self.lateness), pair.first.point,
            points: [NamedPoint(name: "second", point: second)])
    }

    // MARK: the shutdown's own request

    private var request: (roles: RolePattern, signal: Signal)? {
        for step in scenario.steps where step.name == window {
            switch step.action {
            case .stop(let roles, let signal?), .signal(let roles, let signal): return (roles, signal)
            default: return nil
            }
        }
        return nil
    }

    private var requests: [Candidate] {
        guard let request else { return [] }
        let action = Fault.Action.kill(roles: request.roles, signal: request.signal)
        let again = places(trace.window, VisibleCalls.all).map { operation, rank in
            candidate(.request, operation.kind, "ask again at \(operation.point)", rank, action, operation.point)
        }
        let isOnlyStarted = scenario.steps.prefix { $0.name != window }.allSatisfy {
            if case .start = $0.action { true } else { false }
        }
        guard isOnlyStarted else { return again }
        // Whoever is asked before it can hear is ended by the signal itself, which says nothing: that is so before its first sign of
        // life, so the candidates are operations of its children, and its own from the first of theirs on.
        let firstChild = trace.start.first { $0.role.segments.count > 1 }?.time ?? .max
        let early = places(trace.start.filter { $0.time >= firstChild }, VisibleCalls.lasting).map { operation, rank in
            candidate(
                .request, "start \(operation.kind)", "ask at \(operation.point)", rank, action, operation.point,
                isDuringStart: true)
        }
        return again + early
    }

    // MARK: one dies at another's operation

    private var killsOfOthers: [Candidate] {
        let victims = Set((trace.start + trace.window).map(\.role)).sorted { $0.description < $1.description }
        return places(trace.window, VisibleCalls.all).flatMap { operation, rank in
            victims.filter { $0 != operation.role && $0.segments.count > 1 }.enumerated().map { index, victim in
                candidate(
                    .orphan, "\(victim.segments.map(\.name)) \(operation.kind)", "kill \(victim) at \(operation.point)",
                    rank + Double(index), .kill(roles: RolePattern(victim), signal: .kill), operation.point)
            }
        }
    }
}
