import Platform
import Scenarios
import Schedules
import Topologies

/// A call that the gate holds, on its entry or at its return, with what is still to be done to it. Whoever holds it last lets it
/// go, once.
final class HeldCall {
    /// Where in the call its thread stands.
    enum Place {
        /// The kernel holds it on entry, until the notification is answered.
        case entry
        /// It is stopped at its return.
        case exit(ThreadTrace)
    }

    /// What a call is answered instead of its own answer.
    enum Answer {
        case error(Int32)
        case value(Int)
    }

    let listener: Listener
    let notification: StoppedCall
    let process: TrackedProcess
    var place = Place.entry
    /// `mark <name>`, for a call that writes one.
    let mark: String?
    /// How much longer it is held, in nanoseconds.
    var delay: Int64 = 0
    /// Holds that must be lifted before it goes on.
    var holds: [(rule: Rule, nth: PointCounter.Arrival)] = []
    var answer: Answer?
    /// What happens at its return, or needs to see that.
    var tracings: [(rule: Rule, nth: PointCounter.Arrival)] = []
    /// Whether its process ends by a fault: then it is never let go on.
    var endsCaller = false
    /// Whether that is by a signal which the process may have found a way to live on with.
    var mayBeSpared = false
    /// How long a process may take to end by a signal, in nanoseconds.
    static let longestEnd: Int64 = 500_000_000

    init(_ listener: Listener, _ notification: StoppedCall, _ process: TrackedProcess, mark: String? = nil) {
        self.mark = mark
        self.listener = listener
        self.notification = notification
        self.process = process
    }

    var isAtExit: Bool { if case .exit = place { true } else { false } }
}
