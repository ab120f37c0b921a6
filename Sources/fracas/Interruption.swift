import Certification
import Foundation
import Glibc
import Platform

/// Ctrl-C and `kill`: the first asks a run to stop, clean up and report, one that comes later ends Fracas at once (its trials end with
/// it). A request often comes twice at the same time, to the process and to its group, as from timeout(1): that is one request.
enum Interruption {
    /// The signal every run listens to.
    static let stop = StopSignal()

    /// Signals that are no farther apart than this are one request.
    private static let oneRequest: Int64 = 1_000_000_000

    /// Catches the signals, and waits for them in a thread of its own.
    static func prepare() {
        signal(SIGPIPE, SIG_IGN)
        // Where they cannot be caught they end Fracas at once, and its trials with it: nothing is left either way.
        guard let signals = try? CaughtSignals([SIGINT, SIGTERM, SIGHUP]) else { return }
        let thread = Thread {
            guard (try? signals.next()) != nil else { return }
            stop.set()
            let first = Clock.now()
            repeat { guard (try? signals.next()) != nil else { return } } while Clock.now() - first < oneRequest
            Output.complain(
                "ended at once, without a report: what is whole is judged by 'fracas check' and 'fracas report'")
            _exit(130)
        }
        thread.name = "fracas signals"
        thread.start()
    }
}
