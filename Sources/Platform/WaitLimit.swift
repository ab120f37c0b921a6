import CSyscall
import Glibc

/// After how long calls end by themselves.
public enum WaitLimit {
    /// The time limit that a call was begun with, in nanoseconds; nil where it has none, or none that is known.
    public static func of(call: String, _ arguments: [UInt64], in process: Int32) -> Int64? {
        guard arguments.count == 6 else { return nil }
        switch call {
        case "nanosleep": return time(at: arguments[0], in: process)
        case "clock_nanosleep":
            guard let time = time(at: arguments[2], in: process) else { return nil }
            // TIMER_ABSTIME: until then, by that clock.
            return arguments[1] & 1 == 0 ? time : max(0, time - now(of: arguments[0]))
        case "poll": return milliseconds(arguments[2])
        case "epoll_wait", "epoll_pwait": return milliseconds(arguments[3])
        case "ppoll": return time(at: arguments[2], in: process)
        case "epoll_pwait2": return time(at: arguments[3], in: process)
        case "select": return time(at: arguments[4], in: process, unit: 1000)
        case "pselect6": return time(at: arguments[4], in: process)
        case "rt_sigtimedwait": return time(at: arguments[2], in: process)
        case "futex":
            guard let time = time(at: arguments[3], in: process) else { return nil }
            // FUTEX_WAIT, 0, has a time from now on; the others have one of a clock, which FUTEX_CLOCK_REALTIME chooses.
            if arguments[1] & 127 == 0 { return time }
            return max(0, time - now(of: arguments[1] & 256 == 0 ? UInt64(CLOCK_MONOTONIC) : UInt64(CLOCK_REALTIME)))
        default: return nil
        }
    }

    private static func milliseconds(_ argument: UInt64) -> Int64? {
        let value = Int32(truncatingIfNeeded: argument)
        return value < 0 ? nil : Int64(value) * 1_000_000
    }

    private static func now(of clock: UInt64) -> Int64 {
        var time = timespec()
        clock_gettime(clockid_t(truncatingIfNeeded: clock), &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    /// A `struct timespec`, or with a unit of 1000 a `struct timeval`.
    private static func time(at address: UInt64, in process: Int32, unit: Int64 = 1) -> Int64? {
        guard address != 0, let bytes = try? ProcFile.memory(of: process, at: address, length: 16), bytes.count == 16
        else { return nil }
        let words = [0, 8].map { place in
            Int64(bitPattern: bytes[place..<place + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) })
        }
        let (seconds, isTooLong) = words[0].multipliedReportingOverflow(by: 1_000_000_000)
        return words[0] < 0 || isTooLong ? nil : seconds &+ words[1] &* unit
    }
}
