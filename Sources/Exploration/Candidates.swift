import Scenarios

/// Makes what can be tried out of a trace.
struct Candidates {
    /// How late an operation comes: much later than anything that happens by itself close to it.
    static let lateness = Duration.milliseconds(250)
    /// How late each operation of a kind comes, and at most how many of them.
    private static let slowness = Duration.milliseconds(40)
    private static let mostSlow = 12

    let base: Int
    let scenario: Scenario
    let window: String
    let trace: Trace
    private let roles: Set<Role>

    init(base: Int, scenario: Scenario, window: String, trace: Trace) {
        self.base = base
        self.scenario = scenario
        self.window = window
        self.trace = trace
        roles = Set((trace.start + trace.window).map(\.role))
    }

    /// How many processes there were.
    var processes: Int { roles.count }

    /// Everything of one kind.
    func all(_ kind: Candidate.Kind) -> [Candidate] {
        switch kind {
        case .invert: Inversions(trace).pairs.map(invert)
        case .kill: kills + kills(atRest: .kill)
        case .delay: delays
        case .slow: slow
        case .request: requests
        case .orphan: killsOfOthers + kills(atRest: .orphan)
        // These have places of their own, which a trial with a death shows.
        case .crash, .random: []
        }
    }

    /// How many processes there are that an operation's process is close to: those of its kind with the same parent, or its children.
    func company(_ operation: Operation) -> Int {
        guard let parent = operation.role.ancestors.first else {
            return roles.count { $0.ancestors.first == operation.role }
        }
        return roles.count {
            $0.ancestors.first == parent && $0.segments.last?.name == operation.role.segments.last?.name
        }
    }

    // MARK: one operation

    private func candidate(
        _ kind: Candidate.Kind, at place: RankedOperation, _ what: String, _ action: Fault.Action,
        _ moment: Candidate.Moment = .window, subjects: Set<Role> = []
    ) -> Candidate {
        Candidate(
            kind: kind, base: base, likeness: "\(kind.rawValue) \(what) \(moment) \(place.likeness)",
            text: "\(what) at \(place.operation.text)\(moment == .window ? "" : ", before the request")",
            rank: place.rank,
            company: company(place.operation),
            operation: place.operation, subjects: subjects,
            faults: [Fault(name: kind.rawValue, action: action, trigger: .point(place.operation.point))], points: [],
            moment: moment)
    }

    private var kills: [Candidate] {
        RankedOperation.all(trace.window, VisibleCalls.effects).map { kill($0, .window) }
            // Of what Fracas itself started it waits for a sign that it stands.
            + RankedOperation.all(trace.start.filter { $0.role.segments.count > 1 }, VisibleCalls.lasting).map {
                kill($0, .before)
            }
    }

    private func kill(_ place: RankedOperation, _ moment: Candidate.Moment) -> Candidate {
        candidate(
            .kill, at: place, "kill it", .kill(roles: nil, signal: .kill), moment, subjects: [place.operation.role])
    }

    private var delays: [Candidate] {
        RankedOperation.all(trace.window, VisibleCalls.all).map { delay($0, .window) }
            + RankedOperation.all(trace.start, VisibleCalls.lasting).map { delay($0, .before) }
    }

    private func delay(_ place: RankedOperation, _ moment: Candidate.Moment) -> Candidate {
        candidate(.delay, at: place, "delay it", .delay(Span(Self.lateness)), moment)
    }

    /// Every operation of a kind and process, from the first on.
    private var slow: [Candidate] {
        let groups = Dictionary(grouping: trace.window) { "\($0.role) \($0.kind)" }
        return groups.sorted { $0.key < $1.key }.compactMap { _, alike in
            guard var first = alike.first, alike.count > 1 else { return nil }
            first.point.window.times = Self.mostSlow
            let place = RankedOperation(
                operation: first, rank: Double(first.role.segments.last?.index ?? 0), likeness: first.kind)
            return candidate(.slow, at: place, "delay each", .delay(Span(Self.slowness)))
        }
    }

    /// One dies at another's operation.
    private var killsOfOthers: [Candidate] {
        let victims = roles.filter { $0.segments.count > 1 }.sorted { $0.description < $1.description }
        return RankedOperation.all(trace.window, VisibleCalls.all).flatMap { place in
            victims.filter { $0 != place.operation.role }.enumerated().map { index, victim in
                var other = place
                other.rank += Double(index)
                other.likeness += index > 0 ? " another" : ""
                return candidate(
                    .orphan, at: other, "kill \(victim)", .kill(roles: RolePattern(victim), signal: .kill),
                    subjects: [victim])
            }
        }
    }

    // MARK: two operations

    private func invert(_ pair: Inversions.Pair) -> Candidate {
        var second = pair.second.point
        if case .calls = second.place, !VisibleCalls.waiting.contains(pair.second.call),
            SystemCalls.call(pair.second.call)?.returns == true
        {
            second.moment = .exit
        }
        return Candidate(
            kind: .invert, base: base, likeness: "invert \(pair.first.kind) | \(pair.second.kind)",
            text: "hold \(pair.first.text) until \(second)", rank: pair.distance,
            company: company(pair.first),
            operation: pair.first, subjects: [pair.first.role, pair.second.role],
            faults: [
                Fault(
                    name: "invert", action: .hold(until: "second", atMost: Self.lateness),
                    trigger: .point(pair.first.point))
            ], points: [NamedPoint(name: "second", point: second)], moment: .window)
    }

    // MARK: while everything waits

    /// One of each kind of process dies when nobody does anything: whoever waits makes no call at which it could be killed. Whose death
    /// leaves children is told apart from the others.
    private func kills(atRest kind: Candidate.Kind) -> [Candidate] {
        let living = trace.living.sorted { $0.description < $1.description }
        var seen: Set<String> = []
        return living.filter { seen.insert($0.general).inserted }.compactMap { victim in
            let hasChildren = living.contains { $0.ancestors.first == victim }
            guard kind == (hasChildren ? .orphan : .kill), living.count > 1 else { return nil }
            return Reaction.killAtRest(kind, victim, of: self)
        }
    }

    // MARK: the shutdown's own request

    private var requests: [Candidate] {
        guard let request = scenario.request(at: window) else { return [] }
        let action = Fault.Action.kill(roles: request.roles, signal: request.signal)
        let again = RankedOperation.all(trace.window, VisibleCalls.all).map {
            candidate(.request, at: $0, "ask again", action)
        }
        let before = scenario.steps.prefix { $0.name != window }
        let isOnlyStarted = before.allSatisfy { if case .start = $0.action { true } else { $0.isReadiness } }
        // What is started after whoever is asked would find it gone, and what it needs must stand before it is.
        var isStartedLast = false
        if let last = scenario.lastStart(before: window), case .start(let started, _) = scenario.steps[last].action {
            let roles = scenario.topology.processes.map(\.role).filter(request.roles.matches)
            isStartedLast = started.map { roles.allSatisfy($0.matches) } ?? (last == 0)
        }
        // Whoever is asked before it can hear is ended by the signal itself, which says nothing: that is so before its first sign of
        // life, so the candidates are operations of its children. They say nothing of others that are asked with it.
        let asked = roles.count { $0.segments.count == 1 && request.roles.matches($0) }
        guard isOnlyStarted, isStartedLast, asked == 1 else { return again }
        return again
            + RankedOperation.all(trace.start.filter { $0.role.segments.count > 1 }, VisibleCalls.lasting).map {
                candidate(.request, at: $0, "ask", action, .request)
            }
    }
}

/// An operation at which something can be done.
struct RankedOperation: Sendable {
    let operation: Operation
    /// Less is tried sooner.
    var rank: Double
    /// The first and the last of a kind are not alike: much is wrong at the ends.
    var likeness: String

    /// Operations by one of these calls: of each kind the first, the last, then those between; and of several the one closest to
    /// the beginning or the end of what its process does, where most is open or half done.
    static func all(_ operations: [Operation], _ calls: [String]) -> [RankedOperation] {
        let calls = Set(calls)
        let chosen = operations.filter { calls.contains($0.call) }
        var margins: [Int64: Double] = [:]
        for own in Dictionary(grouping: chosen, by: \.role).values {
            for (index, operation) in own.enumerated() {
                margins[operation.time] = Double(min(index, own.count - 1 - index)) / Double(own.count)
            }
        }
        return Dictionary(grouping: chosen, by: \.kind).values.flatMap { alike in
            zip(spread(alike.count), 0...).map { place, order in
                let operation = alike[place]
                return RankedOperation(
                    operation: operation, rank: Double(order) + (margins[operation.time] ?? 0),
                    likeness: operation.kind + (order == 0 ? "" : order == 1 ? " last" : " between"))
            }
        }
        .sorted { ($0.rank, $0.operation.time) < ($1.rank, $1.operation.time) }
    }

    /// The numbers below `count`: the first, the last, the middle, and so on by halves.
    private static func spread(_ count: Int) -> [Int] {
        guard count > 1 else { return count == 1 ? [0] : [] }
        var order = [0, count - 1]
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
}
