import CSyscall
import Glibc
public import SystemPackage

/// Waits for many descriptors at once, `epoll(7)`. Each registration carries a token of the caller's, so that an event
/// for a descriptor that was closed and reused meanwhile is not mistaken for the new one's.
public final class Poller {
    /// What happened to one registration.
    public struct Ready {
        /// The token it was registered with.
        public let token: UInt64
        /// Whether there is something to read (or an end of file).
        public let readable: Bool
        /// Whether the other side has hung up; for a pidfd, that the process was reaped (Linux 6.15).
        public let hungUp: Bool
    }

    private let descriptor: Descriptor
    private var events: [epoll_event]

    /// A poller that returns at most `capacity` events at a time.
    public init(capacity: Int = 64) throws(Errno) {
        descriptor = Descriptor(owning: try check(epoll_create1(Int32(EPOLL_CLOEXEC))))
        events = [epoll_event](repeating: epoll_event(), count: capacity)
    }

    /// Watches a descriptor for input. With `edge`, each change is told once, even if nobody reads.
    public func add(_ watched: Descriptor, token: UInt64, edge: Bool = false) throws(Errno) {
        var event = epoll_event()
        event.events = EPOLLIN.rawValue | (edge ? UInt32(1) << 31 : 0)
        event.data.u64 = token
        try check(epoll_ctl(descriptor.raw, EPOLL_CTL_ADD, watched.raw, &event))
    }

    /// Watches a descriptor no longer.
    public func remove(_ watched: Descriptor) {
        epoll_ctl(descriptor.raw, EPOLL_CTL_DEL, watched.raw, nil)
    }

    /// Blocks the calling thread until something is ready, and calls `body` for each. Allocates nothing.
    public func wait(_ body: (Ready) -> Void) throws(Errno) {
        var count = epoll_wait(descriptor.raw, &events, Int32(events.count), -1)
        if count < 0 {
            guard errno == EINTR else { throw Errno(rawValue: errno) }
            count = 0
        }
        for index in 0..<Int(count) {
            let bits = events[index].events
            body(
                Ready(
                    token: events[index].data.u64, readable: bits & EPOLLIN.rawValue != 0,
                    hungUp: bits & (EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0))
        }
    }
}

/// A descriptor that becomes readable at a given time, `timerfd_create(2)` on the monotonic clock.
public struct Timer: Sendable {
    /// For a poller.
    public let descriptor: Descriptor

    /// A timer that is not set.
    public init() throws(Errno) {
        descriptor = Descriptor(
            owning: try check(timerfd_create(CLOCK_MONOTONIC, Int32(TFD_CLOEXEC | TFD_NONBLOCK))))
    }

    /// Sets it to fire at `time` (nanoseconds as `Clock.now()` counts them); nil unsets it.
    public func set(_ time: Int64?) {
        var spec = itimerspec()
        if let time {
            // All zeros would unset it; a time that has passed fires at once.
            let at = max(time, 1)
            spec.it_value = timespec(tv_sec: Int(at / 1_000_000_000), tv_nsec: Int(at % 1_000_000_000))
        }
        timerfd_settime(descriptor.raw, Int32(TFD_TIMER_ABSTIME), &spec, nil)
    }

    /// Makes it unreadable until it fires again.
    public func clear() {
        var count: UInt64 = 0
        _ = CSyscall.read(descriptor.raw, &count, 8)
    }
}

/// A descriptor that another thread can make readable, `eventfd(2)`.
public struct Waker: Sendable {
    /// For a poller.
    public let descriptor: Descriptor

    /// A waker nobody has woken.
    public init() throws(Errno) {
        descriptor = Descriptor(owning: try check(eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))))
    }

    /// Makes it unreadable until it is woken again.
    public func clear() {
        var count: UInt64 = 0
        _ = CSyscall.read(descriptor.raw, &count, 8)
    }

    /// Makes it readable; safe from any thread.
    public func wake() {
        var one: UInt64 = 1
        _ = CSyscall.write(descriptor.raw, &one, 8)
    }
}

/// The monotonic clock.
public enum Clock {
    /// Nanoseconds since some time before the machine started.
    public static func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}

extension Duration {
    /// This length in whole nanoseconds; the longest there is where it does not fit.
    public var nanoseconds: Int64 {
        let (seconds, rest) = components
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return overflow ? .max : whole + rest / 1_000_000_000
    }
}
