public import Evidence
import Scenarios

/// How much had to be done to a trial's processes: of the trials that show a finding the lightest tells most of it.
public struct TrialWeight: Sendable, Equatable, Comparable {
    /// How violent what was done is.
    public enum Violence: Int, Sendable, Comparable {
        /// Nothing was done.
        case none
        /// Something came late, or in another order.
        case order
        /// A signal was sent that can be caught: somebody asked for something.
        case asked
        /// A call was answered otherwise, or something it needs was taken away.
        case denied
        /// A process was killed.
        case killed

        /// Less violent first.
        public static func < (left: Violence, right: Violence) -> Bool { left.rawValue < right.rawValue }
    }

    /// The most violent of what was done.
    public var violence: Violence
    /// How many times something was done.
    public var injections: Int
    /// What was done, for people: `SIGKILL at node.runner`; `no fault`.
    public var cause: String

    /// The weight of a trial in which nothing was done.
    public init() {
        violence = .none
        injections = 0
        cause = "no fault"
    }

    /// The weight of a trial by its ledger.
    public init(_ records: [Record]) {
        self.init()
        guard case .trial(let header)? = records.first?.event else { return }
        var faults: [String: Fault] = [:]
        for fault in header.scenario.faults { faults[fault.name] = fault }
        var causes: Set<String> = []
        for record in records {
            guard case .fault(let injection) = record.event, injection.failure == nil,
                let action = faults[injection.fault]?.action
            else { continue }
            injections += 1
            violence = max(violence, Self.violence(of: action))
            causes.insert(Self.cause(action, injection))
        }
        if !causes.isEmpty { cause = causes.sorted().joined(separator: ", ") }
    }

    /// The lighter first: what is less violent, then what is less.
    public static func < (left: TrialWeight, right: TrialWeight) -> Bool {
        (left.violence, left.injections) < (right.violence, right.injections)
    }

    private static func violence(of action: Fault.Action) -> Violence {
        switch action {
        case .delay, .hold, .stop, .resume, .freeze, .starve: .order
        case .kill(_, let signal): signal.canBeCaught ? .asked : .killed
        case .errno, .answer, .short, .poke, .close, .exhaust, .clock: .denied
        case .memory: .killed
        @unknown default: .denied
        }
    }

    private static func cause(_ action: Fault.Action, _ injection: Injection) -> String {
        let what =
            switch action {
            case .kill(_, let signal): signal.description
            case .errno(let error): error.description
            default: action.kind
            }
        let whose = injection.targets.compactMap(\.role).map(\.general)
        let roles = Set(whose.isEmpty ? [injection.at?.role?.general].compactMap(\.self) : whose)
        return roles.isEmpty ? what : "\(what) of \(roles.sorted().joined(separator: " and "))"
    }
}
