import Foundation
import Platform
import Synchronization

/// When Fracas itself did not run although it should have: a beat that comes late is the only trace that a stop leaves, be it a
/// signal's, a paused machine's, or of one that has too much else to do.
public struct Beats: Sendable {
    /// How far beats are apart.
    public static let period: Int64 = 50_000_000
    /// What is later than this is no longer the usual lateness of a timer.
    public static let tolerance: Int64 = 100_000_000
    /// More gaps than this are not remembered one by one.
    private static let most = 4096

    /// When the last beat was.
    private var last: Int64
    private var gaps: [Range<Int64>] = []

    /// Begins to beat.
    public init(at now: Int64) { last = now }

    /// A beat. A look that came before it may have noted its lateness already.
    public mutating func beat(at now: Int64) {
        guard now > last else { return }
        if let gap = Self.gap(last, now) { gaps.append(gap) }
        if gaps.count > Self.most { gaps.removeFirst(gaps.count - Self.most) }
        last = now
    }

    /// The gaps since a time, with the one that lasts until now although no beat has told of it yet.
    public func gaps(since start: Int64, now: Int64) -> [Range<Int64>] {
        var found = gaps
        if let gap = Self.gap(last, now) { found.append(gap) }
        return found.filter { $0.upperBound > start }.map { max($0.lowerBound, start)..<$0.upperBound }
    }

    private static func gap(_ from: Int64, _ to: Int64) -> Range<Int64>? {
        to - from > period + tolerance ? from..<to : nil
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
        let thread = Thread { [self] in beat() }
        thread.name = "fracas pulse"
        thread.stackSize = 1 << 17
        thread.start()
    }

    /// A trial has ended.
    func end() { state.withLock { $0.trials -= 1 } }

    /// When Fracas did not run since a time.
    func gaps(since start: Int64, now: Int64) -> [Range<Int64>] {
        state.withLock { $0.beats?.gaps(since: start, now: now) ?? [] }
    }

    private func beat() {
        // Without a timer nothing could be told: then nothing is, as on a host that never stops us.
        guard let poller = try? Poller(), let timer = try? Timer() else { return }
        guard (try? poller.add(timer.descriptor, token: 1)) != nil else { return }
        var next = Clock.now()
        while true {
            next = max(next + Beats.period, Clock.now())
            timer.set(next)
            guard (try? poller.wait { _ in timer.clear() }) != nil else { return }
            let isOver = state.withLock { state in
                state.beats?.beat(at: Clock.now())
                guard state.trials == 0 else { return false }
                state.beats = nil
                return true
            }
            if isOver { return }
        }
    }
}
