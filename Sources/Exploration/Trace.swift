public import Evidence
public import Scenarios

/// Something a process did that another one, or whoever looks at files, could notice, and how to catch it there again.
public struct Operation: Sendable, Equatable {
    /// Who.
    public let role: Role
    /// The system call.
    public let call: String
    /// What the call worked on, as it was observed (`pipe:[123]`, a path, `mark sent`, `line …`); nil for calls that work on nothing.
    public let object: String?
    /// The same for the same thing done by any process of its kind in any trial: no indices, ids or counts in it.
    public let kind: String
    /// Where it can be caught again: by its kind and how often that had come, which is the same in more trials than a count of
    /// all calls.
    public internal(set) var point: Point
    /// When, in nanoseconds since the trial began.
    public internal(set) var time: Int64
    /// Where it is, for people.
    var text: String {
        guard VisibleCalls.signals.contains(call), let object else { return point.description }
        return "\(role), \(call) (\(object)), time \(point.window.nth.lower)"
    }
    /// Which thread, for telling those of one process apart.
    let thread: Thread
    /// How many its thread had done in this part of the trace before it.
    let position: Int
    /// How much others have to do with it.
    let concern: Concern

    /// How much others have to do with an operation.
    enum Concern: Int, Sendable {
        /// It is on something that several processes work on, or on a process's life.
        case shared
        /// Whoever looks can see it, if anybody does.
        case open
        /// It is on something that only its process has.
        case own
    }

    struct Thread: Sendable, Hashable {
        let pid: Int32
        /// 0 for the one that its process was born with.
        let id: Int32
    }
}

/// The externally visible operations of one trial without faults, in the order in which they began.
public struct Trace: Sendable {
    /// Before or after the step with which the window begins.
    public enum Part: String, Sendable, CaseIterable {
        /// From the first process on: only calls with an effect that outlives them.
        case start
        /// From the window's step on.
        case window
        /// From the death of a process that was killed before the request, until then.
        case reaction
    }

    /// The operations before the window.
    public let start: [Operation]
    /// The operations of the window.
    public let window: [Operation]
    /// What others did when one of them was killed, in a trial that was made for this.
    public let reaction: [Operation]
    /// Who lived when the window began. Who is ended by a signal does nothing in it.
    let living: Set<Role>

    /// A scenario with the points that make its ledger a trace.
    /// - Parameter window: the step with which the window begins.
    public static func recording(_ scenario: Scenario, window: String) -> Scenario {
        scenario.recording(Part.start.rawValue, VisibleCalls.lasting, in: .init(times: nil, before: window))
            .recording(Part.window.rawValue, VisibleCalls.all, in: .init(times: nil, after: window))
    }

    /// Reads a trace from the ledger of such a trial.
    public init(_ records: [Record], window: String) {
        let reached = records.compactMap { record -> (Reached, Int64)? in
            guard case .point(let reached) = record.event else { return nil }
            return (reached, record.time)
        }
        let shared = SharedObjects(reached.map(\.0))
        let places = reached.map { reached, _ in reached.call.map { CallPlace(reached, $0) } }
        let crews = Crews(zip(reached.map(\.0), places))
        func begin(_ part: Part) -> String? {
            switch part {
            case .start: nil
            case .window: window
            case .reaction: Reaction.crash
            }
        }
        func part(_ part: Part) -> [Operation] {
            var counts: [String: Int] = [:]
            var positions: [Operation.Thread: Int] = [:]
            return zip(reached, places).compactMap { one, place in
                let (reached, time) = one
                guard reached.point.hasPrefix("\(part.rawValue) "), let role = reached.at.role, let call = reached.call,
                    var place
                else { return nil }
                if crews.isMixed(reached, place) { place.tellThread(of: reached) }
                // Counted before it is looked at, for the gate will count it too.
                let count = counts["\(role) \(place.key)", default: 0] + 1
                counts["\(role) \(place.key)"] = count
                guard shared.isVisible(reached) else { return nil }
                let thread = Operation.Thread(pid: reached.at.pid, id: reached.thread)
                positions[thread, default: -1] += 1
                return Operation(
                    role: role, call: call, object: reached.object, kind: "\(role.general) \(place.kind)",
                    point: place.point(of: role, .init(nth: Point.Range(count), after: begin(part))),
                    time: time, thread: thread, position: positions[thread] ?? 0,
                    concern: shared.concern(reached, call))
            }
        }
        start = part(.start)
        self.window = part(.window)
        reaction = part(.reaction)
        living = Self.living(records, window).union(self.window.map(\.role))
    }

    private static func living(_ records: [Record], _ window: String) -> Set<Role> {
        var living: Set<Int32> = []
        var roles: Set<Role> = []
        var hasBegun = false
        for record in records {
            switch record.event {
            case .process(let birth):
                // Who is about to take on its program has its role a little later.
                if !hasBegun { living.insert(birth.subject.pid) }
                if let role = birth.subject.role, living.contains(birth.subject.pid) { roles.insert(role) }
            case .exit(let exit) where !hasBegun:
                living.remove(exit.subject.pid)
                if let role = exit.subject.role { roles.remove(role) }
            case .step(let change) where change.name == window: hasBegun = true
            default: break
            }
        }
        return roles
    }
}

/// A call and what it works on, in a form that is the same in the next trial: numbers, which are ids and counts, are left out,
/// and so are the random names of temporary files.
private struct CallPlace {
    let place: Point.Place
    private(set) var conditions: Conditions
    /// What is counted by itself.
    private(set) var key: String
    /// What is alike.
    private(set) var kind: String

    init(_ reached: Reached, _ call: String) {
        let object = reached.object ?? ""
        if object.hasPrefix("mark ") {
            place = .mark(String(object.dropFirst(5)), fields: [:])
            conditions = Conditions()
            (key, kind) = (object, object)
        } else if object.hasPrefix("line "), object.count > 5 {
            let text = object.dropFirst(5)
            // To its end, unless it was cut: another line may begin the same.
            place = .line(
                "^" + Self.pattern(text, number: "[0-9]+", special: #"\^$.|?*+()[]{}"#) + (text.count < 200 ? "$" : ""))
            conditions = Conditions()
            key = "line " + Self.pattern(text, number: "#", special: "")
            kind = key
        } else if VisibleCalls.signals.contains(call) {
            place = .calls([call])
            let first = object.prefix { $0 != " " && $0 != "," }
            conditions = Conditions(
                arguments: Self.argument(String(first)).map {
                    [ArgumentCondition(index: 0, comparison: .equal, value: $0)]
                } ?? [], isEffective: true)
            key = "\(call) \(first)"
            // What a signal does is mostly set for many of them, one after the other.
            kind = call == "rt_sigaction" ? call : key
        } else {
            place = .calls([call])
            if let channel = reached.channel {
                conditions = Conditions(channel: channel)
                key = "\(call) \(channel)"
            } else if reached.object != nil {
                let name = Self.withoutRandomNames(object)
                conditions = Conditions(
                    path: Self.pattern(name[...], number: "*", special: #"\?*["#),
                    // All pipes have the same name, those of channels too.
                    isUnnamed: object.hasPrefix("pipe:"))
                key = "\(call) \(Self.pattern(name[...], number: "#", special: ""))"
            } else {
                conditions = Conditions(isEffective: VisibleCalls.mayBeIdle(call))
                key = call
            }
            kind = key
        }
    }

    /// Makes it the call of the main thread only, or of the others. Lines and marks are the process's, whichever thread writes them.
    mutating func tellThread(of reached: Reached) {
        guard case .calls = place else { return }
        conditions.thread = reached.thread == 0 ? .main : .other
        guard reached.thread != 0 else { return }
        key += " by another thread"
        kind += " by another thread"
    }

    /// The first argument of a call that decides over signals, from the word that tells of it.
    private static func argument(_ word: String) -> UInt64? {
        switch word {
        case "SIG_BLOCK": 0
        case "PR_SET_PDEATHSIG", "SIG_UNBLOCK": 1
        case "SIG_SETMASK": 2
        default: Signal(parsing: word).map { UInt64($0.number) }
        }
    }

    func point(of role: Role, _ window: Point.Window) -> Point {
        Point(roles: RolePattern(role), place: place, conditions: conditions, window: window)
    }

    /// Random names, as of mkstemp(3) and Python's tempfile, become one number: six letters and digits or more, in which a letter
    /// follows a digit. One in seven of tempfile's and two in five of mkstemp's have no such place and keep their names.
    private static func withoutRandomNames(_ path: String) -> String {
        var result = ""
        var rest = path[...]
        while let first = rest.first {
            let word = rest.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
            guard !word.isEmpty else {
                result.append(first)
                rest.removeFirst()
                continue
            }
            let isRandom = word.count >= 6 && zip(word, word.dropFirst()).contains { $0.isNumber && $1.isLetter }
            result += isRandom ? "0" : word
            rest = rest[word.endIndex...]
        }
        return result
    }

    private static func pattern(_ text: Substring, number: String, special: String) -> String {
        var result = ""
        var inNumber = false
        for character in text {
            let isDigit = character.isASCII && character.isNumber
            if isDigit {
                if !inNumber { result += number }
            } else {
                if special.contains(character) { result += "\\" }
                result.append(character)
            }
            inNumber = isDigit
        }
        return result
    }
}

/// What both the main thread of a process and others of its threads do: which of them does it first may be another one each time, so
/// they are counted by themselves.
private struct Crews {
    private var seen: [String: Set<Bool>] = [:]

    init(_ calls: some Sequence<(Reached, CallPlace?)>) {
        for case (let reached, let place?) in calls {
            seen[Self.key(reached, place), default: []].insert(reached.thread == 0)
        }
    }

    func isMixed(_ reached: Reached, _ place: CallPlace) -> Bool { (seen[Self.key(reached, place)]?.count ?? 0) > 1 }

    private static func key(_ reached: Reached, _ place: CallPlace) -> String {
        "\(reached.at.role.map(\.description) ?? "") \(place.key)"
    }
}

extension Scenario {
    /// With named points, `<name> 0` and on, at every one of these calls of every process.
    func recording(_ name: String, _ calls: [String], in window: Point.Window) -> Scenario {
        var scenario = self
        let tops = Set(topology.processes.compactMap(\.role.segments.first?.name)).sorted()
        for (index, top) in tops.compactMap(RolePattern.init(parsing:)).enumerated() {
            let point = Point(
                roles: top, includesDescendants: true, place: .calls(calls), conditions: Conditions(isEffective: true),
                window: window)
            scenario.points.append(NamedPoint(name: "\(name) \(index)", point: point))
        }
        scenario.limits.records = max(limits.records, 1_000_000)
        return scenario
    }
}
