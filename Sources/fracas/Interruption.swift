import Certification
import Foundation
import Glibc
import Platform

/// Ctrl-C and `kill`: the first asks a run to stop and clean up, the second ends Fracas at once (its trials end with it).
enum Interruption {
    /// The signal every run listens to.
    static let stop = StopSignal()

    /// Catches the signals, and waits for them in a thread of its own.
    static func prepare() {
        signal(SIGPIPE, SIG_IGN)
        // Where they cannot be caught they end Fracas at once, and its trials with it: nothing is left either way.
        guard let signals = try? CaughtSignals([SIGINT, SIGTERM, SIGHUP]) else { return }
        let thread = Thread {
            guard (try? signals.next()) != nil else { return }
            stop.set()
            guard (try? signals.next()) != nil else { return }
            _exit(130)
        }
        thread.name = "fracas signals"
        thread.start()
    }
}
