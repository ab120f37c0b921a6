import Foundation
import Glibc
import Platform

/// The process above a service that the built-in supervisor started: starts it again when it crashes, after a pause that doubles,
/// so often in so much time; and is the parent of all that its processes leave, so that what empties its environment is known too.
///
/// SIGTERM goes on to the service, which is not started again then. The keeper ends when nothing is left below it. When it is
/// killed the service goes on without it.
public enum ServiceKeeper {
    /// What `fracas` is called with to be one.
    public static let verb = "keep-service"
    private static let letterDescriptor: Int32 = 5

    /// What a keeper is told at its start, in a file in memory: nothing that changes on the disk later counts.
    struct Letter: Codable {
        var record: ServiceRecord
        var recordPath: String
        /// The program's path, then its arguments.
        var command: [String]
        var environment: [String]
        var directory: String
        var user: UInt32?
        var group: UInt32?
        var policy: RestartPolicy
    }

    /// Keeps the service that the letter names; blocks the calling thread until nothing of it is left.
    /// - Returns: the exit code.
    public static func run() -> Int32 {
        signal(SIGPIPE, SIG_IGN)
        let file = Descriptor(owning: letterDescriptor)
        lseek(file.raw, 0, SEEK_SET)
        guard let bytes = try? file.readAll(limit: 4 << 20),
            let letter = try? JSONDecoder().decode(Letter.self, from: Data(bytes)),
            let signals = try? CaughtSignals([SIGTERM, SIGCHLD, SIGINT, SIGHUP])
        else { return 2 }
        var work = KeptService(letter)
        return work.run(signals)
    }
}

/// When a service that crashed is started again.
package struct RestartPolicy: Codable, Equatable {
    /// Whether it is at all.
    var isOn: Bool
    /// Nanoseconds before the first time; doubled for each that follows.
    var pause: Int64
    /// How often within the interval, in nanoseconds.
    var limit: Int
    var interval: Int64

    private static let longest: Int64 = 60_000_000_000

    package init(isOn: Bool, pause: Int64, limit: Int, interval: Int64) {
        self.isOn = isOn
        self.pause = pause
        self.limit = limit
        self.interval = interval
    }

    init(_ configuration: Configuration) {
        isOn = configuration["SERVICE_RESTART"] == "on-failure"
        pause = configuration.time("SERVICE_RESTART_BACKOFF")
        limit = configuration.whole("SERVICE_RESTART_LIMIT")
        interval = configuration.time("SERVICE_RESTART_INTERVAL")
    }

    /// What to do after a crash.
    /// - Parameter times: when it was started again before, in nanoseconds; those that count no more are taken out.
    /// - Returns: the pause; nil when it is not started again.
    package func next(_ times: inout [Int64], now: Int64) -> Int64? {
        times.removeAll { now - $0 > interval }
        guard isOn, times.count < limit else { return nil }
        let doubled = pause.multipliedReportingOverflow(by: 1 << Int64(min(times.count, 30)))
        return max(pause, min(doubled.overflow ? Self.longest : doubled.partialValue, Self.longest))
    }

    /// Whether an end, as `wait(2)` gives it, is a crash: as systemd takes it, neither an exit with 0 nor a signal that asks to end.
    package static func isCrash(_ status: Int32) -> Bool {
        let signal = status & 0x7f
        return signal == 0 ? status != 0 : ![SIGHUP, SIGINT, SIGTERM, SIGPIPE].contains(signal)
    }

    package static func text(_ status: Int32) -> String {
        status & 0x7f == 0 ? "exit code \((status >> 8) & 0xff)" : "signal \(status & 0x7f)"
    }
}

/// One service as its keeper sees it.
private struct KeptService {
    private let letter: ServiceKeeper.Letter
    private var record: ServiceRecord
    private var isAlive = true
    private var isStopping = false
    /// When it was started again, and when it is to be.
    private var times: [Int64] = []
    private var next: Int64?

    init(_ letter: ServiceKeeper.Letter) {
        self.letter = letter
        record = letter.record
    }

    mutating func run(_ signals: CaughtSignals) -> Int32 {
        while true {
            var children = Child.reapAny()
            while let ended = children.ended {
                if ended.pid == record.pid, isAlive { hasEnded(ended.status) }
                children = Child.reapAny()
            }
            if !children.areAny, next == nil { return 0 }
            if let time = next, Clock.now() >= time { startAgain() }
            let signal: Int32?
            do { signal = try signals.next(until: next ?? .max) } catch { return 1 }
            if signal == SIGTERM, !isStopping {
                isStopping = true
                next = nil
                // It was not reaped yet, so the number means it.
                if isAlive { kill(record.pid, SIGTERM) }
            }
        }
    }

    private mutating func hasEnded(_ status: Int32) {
        isAlive = false
        let how = RestartPolicy.text(status)
        record.lastEnd = isStopping ? nil : "\(how) at \(Date().formatted(.iso8601))"
        if !isStopping, RestartPolicy.isCrash(status) {
            // Its workers would keep its port.
            for pid in record.processes().all { kill(pid, SIGTERM) }
            let now = Clock.now()
            if let pause = letter.policy.next(&times, now: now) {
                schedule(at: now + pause)
                let seconds = Double(pause / 1_000_000) / 1000
                say(
                    "the service ended by \(how); it is started again in \(seconds) s, for the \(times.count + 1). time"
                )
            } else if letter.policy.isOn {
                let seconds = letter.policy.interval / 1_000_000_000
                let text = "it was started again \(times.count) times within \(seconds) s and ended again by \(how)"
                record.givenUp = "\(text) (SERVICE_RESTART_LIMIT)"
                say("the service is not started any more: \(text)")
            }
        }
        record.saveAside(letter.recordPath)
    }

    private mutating func startAgain() {
        next = nil
        // What did not end by SIGTERM meanwhile.
        for pid in record.processes().all { kill(pid, SIGKILL) }
        times.append(Clock.now())
        record.restarts = (record.restarts ?? 0) + 1
        record.nextStart = nil
        do {
            let output = Descriptor(owning: dup(1))
            let identity = letter.user.flatMap { user in letter.group.map { (user: user, group: $0) } }
            let request = Child.Request(
                command: letter.command, environment: letter.environment, directory: letter.directory, output: output,
                diesWithParent: false, identity: identity)
            var copy = record
            _ = try Child.start(request) { (pid) in
                copy.pid = pid
                copy.startTicks = Processes.start(of: pid)?.ticks ?? 0
                copy.saveAside(letter.recordPath)
            }
            record = copy
            isAlive = true
        } catch {
            record.lastEnd = "it could not be started: \(error)"
            guard let pause = letter.policy.next(&times, now: Clock.now()) else {
                record.givenUp = "it could not be started again: \(error)"
                say("the service could not be started again: \(error)")
                record.saveAside(letter.recordPath)
                return
            }
            schedule(at: Clock.now() + pause)
            record.saveAside(letter.recordPath)
        }
    }

    private mutating func schedule(at time: Int64) {
        next = time
        record.nextStart = Int64(Glibc.time(nil)) + max(0, time - Clock.now()) / 1_000_000_000
    }

    /// Into the service's own log, as its output is.
    private func say(_ text: String) {
        let line = Array("\(Date().formatted(.iso8601)) fracas: \(text)\n".utf8)
        _ = line.withUnsafeBytes { write(1, $0.baseAddress, $0.count) }
    }
}
