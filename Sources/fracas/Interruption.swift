import Certification
import Foundation
import Glibc

/// Ctrl-C and `kill`: the first asks a run to stop and clean up, the second ends Fracas at once (its trials end with it).
enum Interruption {
    /// The signal every run listens to.
    static let stop = StopSignal()

    /// Blocks the signals in every thread to come, and waits for them in one of its own.
    static func prepare() {
        var signals = sigset_t()
        sigemptyset(&signals)
        for number in [SIGINT, SIGTERM, SIGHUP] { sigaddset(&signals, number) }
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        signal(SIGPIPE, SIG_IGN)
        let thread = Thread {
            var signals = sigset_t()
            sigemptyset(&signals)
            for number in [SIGINT, SIGTERM, SIGHUP] { sigaddset(&signals, number) }
            var number: Int32 = 0
            sigwait(&signals, &number)
            stop.set()
            sigwait(&signals, &number)
            exit(130)
        }
        thread.name = "fracas signals"
        thread.start()
    }
}
