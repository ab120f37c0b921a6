import Foundation
import Platform
import Synchronization

/// When Fracas itself did not run although it should have: a beat that comes late is the only trace that a stop leaves, be it a
/// signal's, or of a machine that is paused. One that comes late because others had the processor leaves another trace besides.
public struct Beats: Sendable {
    /// How far beats are apart.
    public static let period: Int64 = 50_000_000
    /// What is later than this is no longer the usual lateness of a timer.
    public static let tolerance: Int64 = 100_000_000
    /// More gaps than this are not remembered one by one.
    private static let most = 4096

    /// A time without beats.
    public struct Gap: Sendable, Equatable {
        /// From the last beat before it to the first after it.
        public var range: Range<Int64>
        /// How much of it whoever beats was ready to, and had no processor.
        public var waited: Int64
        /// How long it is.
        public var length: Int64 { range.upperBound - range.lowerBound }
        /// How long nothing could even be ready to run.
        public var stopped: Int64 { max(0, length - waited) }

        /// Makes one.
        public init(_ range: Range<Int64>, waited: Int64 = 0) {
            self.range = range
            self.waited = waited
        }

        /// The part of it after a time; what was waited for belongs to its end.
        func since(_ start: Int64) -> Gap? {
            range.upperBound > start ? Gap(max(range.lowerBound, start)..<range.upperBound, waited: waited) : nil
        }
    }

    private var last: Int64
    private var gaps: [Gap] = []

    /// Begins to beat.
    public init(at now: Int64) { last = now }

    /// A beat.
    /// - Parameter waited: how long it was kept from coming by others, since the last one.
    public mutating func beat(at now: Int64, waited: Int64 = 0) {
        guard now > last else { return }
        if isLate(now) { gaps.append(Gap(last..<now, waited: min(waited, now - last))) }
        if gaps.count > Self.most { gaps.removeFirst(gaps.count - Self.most) }
        last = now
    }

    /// Whether a beat should have come by now: what kept it is known when it comes.
    public func isLate(_ now: Int64) -> Bool { now - last > Self.period + Self.tolerance }

    /// The gaps since a time, with the one that lasts until now although no beat has told of it yet.
    public func gaps(since start: Int64, now: Int64) -> [Gap] {
        (isLate(now) ? gaps + [Gap(last..<now)] : gaps).compactMap { $0.since(start) }
    }
}

/// Beats as long as there are trials, in a thread of its own for all of them.
final class Pulse: Sendable {
    /// The one of this process.
    static let shared = Pulse()

    private struct State {
        var trials = 0
        /// Nil while no thread beats.
        var beats: Beats?
        var waiters: [DispatchSemaphore] = []
    }

    private let state = Mutex(State())

    /// A trial begins.
    func begin() {
        let isNew = state.withLock { state in
            state.trials += 1
            guard state.beats == nil else { return false }
            state.beats = Beats(at: Clock.now())
            return true
        }
        guard isNew else { return }
        let thread = Thread { [self] in
            beat()
            state.withLock { state in
                state.beats = nil
                state.waiters.forEach { $0.signal() }
                state.waiters = []
            }
        }
        thread.name = "fracas pulse"
        thread.stackSize = 1 << 17
        thread.start()
    }

    /// A trial has ended.
    func end() { state.withLock { $0.trials -= 1 } }

    /// When Fracas did not run since a time.
    func gaps(since start: Int64, now: Int64) -> [Beats.Gap] {
        state.withLock { $0.beats?.gaps(since: start, now: now) ?? [] }
    }

    /// Waits for the beat that is late now, if one is: it tells what kept it. Blocks the calling thread.
    func settle() {
        let late = DispatchSemaphore(value: 0)
        let isLate = state.withLock { state in
            guard state.beats?.isLate(Clock.now()) == true else { return false }
            state.waiters.append(late)
            return true
        }
        if isLate { late.wait() }
    }

    /// Beats until there are no trials. Where there is no timer nothing can be told, and nothing is.
    private func beat() {
        guard let poller = try? Poller(), let timer = try? Timer() else { return }
        guard (try? poller.add(timer.descriptor, token: 1)) != nil else { return }
        let share = ThreadShare.own
        var next = Clock.now()
        // That this thread came late to its own beginning is no gap of anybody's.
        var waited = share?.waited() ?? 0
        state.withLock { $0.beats = Beats(at: next) }
        while state.withLock({ $0.trials > 0 }) {
            next = max(next + Beats.period, Clock.now())
            timer.set(next)
            guard (try? poller.wait { _ in timer.clear() }) != nil else { return }
            let now = Clock.now()
            let before = waited
            waited = share?.waited() ?? 0
            state.withLock { state in
                state.beats?.beat(at: now, waited: waited - before)
                state.waiters.forEach { $0.signal() }
                state.waiters = []
            }
        }
    }
}
