import Dispatch
import Foundation
import Platform
import Synchronization

/// A validation in a thread of its own, which is waited for no longer than it may take: what a service prints, or a disk that does
/// not answer, keeps nobody from the answer that the time was over, nor from ending it.
final class ValidationWatch: Sendable {
    /// How the waiting ended.
    enum Ending { case finished, late, stopped }

    private struct Progress {
        var checks: [Check] = []
        /// What has not been looked at to its end, in order.
        var open: [String]
        var isGivenUp = false
    }

    /// What a check of its own has when its time is over, to say so itself.
    private static let grace: Int64 = 500_000_000
    private let progress: Mutex<Progress>
    private let isDone = DispatchSemaphore(value: 0)

    /// - Parameter names: what will be looked at.
    init(_ names: [String]) { progress = Mutex(Progress(open: names)) }

    /// What the thread gets.
    ///
    /// Unchecked because the validation only reads what its operation has from the beginning on (the tree, the service manager, the
    /// caller), and the operation's own thread changes nothing of that.
    private struct Work: @unchecked Sendable { let steps: [Validation.Step] }

    /// Begins, in another thread, and waits.
    /// - Parameter deadline: on the monotonic clock, in nanoseconds.
    /// - Returns: what was seen, and how it ended. What was not seen is among it, as failed or left out.
    func run(_ steps: [Validation.Step], deadline: Int64, isStopped: () -> Bool) -> (checks: [Check], ending: Ending) {
        let work = Work(steps: steps)
        // What a check starts dies with its thread, so the thread is there until all of them are over.
        let thread = Thread { [self] in
            for step in work.steps where !progress.withLock({ $0.isGivenUp }) {
                let found = step.look()
                progress.withLock {
                    $0.checks += found
                    $0.open.removeFirst()
                }
            }
            isDone.signal()
        }
        thread.name = "fracas validation"
        thread.stackSize = 8 << 20
        thread.start()
        let ending = wait(deadline, isStopped)
        return (result(ending), ending)
    }

    private func wait(_ deadline: Int64, _ isStopped: () -> Bool) -> Ending {
        var last = deadline + Self.grace
        var ending = Ending.late
        // The caller's wish comes by a flag of its own, so it is looked at now and then.
        while isDone.wait(timeout: .now() + .milliseconds(100)) != .success {
            if ending == .late, isStopped() {
                ending = .stopped
                last = min(last, Clock.now() + Self.grace)
            }
            if Clock.now() > last { return ending }
        }
        return .finished
    }

    private func result(_ ending: Ending) -> [Check] {
        progress.withLock { progress in
            progress.isGivenUp = true
            guard ending != .finished else { return progress.checks }
            let why = ending == .stopped ? "interrupted" : "the time for the validation was over (VALIDATION_TIMEOUT)"
            return progress.checks
                + progress.open.enumerated().map { index, name in
                    index == 0
                        ? Check(name, .failed, "\(why) before this was looked at to its end")
                        : Check(name, .skipped, "not looked at: \(why)")
                }
        }
    }
}
