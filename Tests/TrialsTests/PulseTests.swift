import Testing
import Trials

/// A beat that comes late tells that nothing ran meanwhile.
@Suite("Whether Fracas ran")
struct PulseTests {
    private static let second: Int64 = 1_000_000_000

    @Test func beatsInTimeLeaveNoGap() {
        var beats = Beats(at: 0)
        for time in stride(from: Beats.period, to: Self.second, by: Int(Beats.period)) { beats.beat(at: time) }
        #expect(beats.gaps(since: 0, now: Self.second).isEmpty)
        // A timer's usual lateness is none either.
        beats.beat(at: Self.second + Beats.tolerance)
        #expect(beats.gaps(since: 0, now: Self.second + Beats.tolerance).isEmpty)
    }

    @Test func aStopIsAGap() {
        var beats = Beats(at: 0)
        beats.beat(at: 7 * Self.second)
        beats.beat(at: 7 * Self.second + Beats.period)
        #expect(beats.gaps(since: 0, now: 7 * Self.second + 2 * Beats.period) == [.init(0..<7 * Self.second)])
        // To a trial that began meanwhile it is as long as the trial knows it.
        #expect(
            beats.gaps(since: 5 * Self.second, now: 7 * Self.second)
                == [.init(5 * Self.second..<7 * Self.second)])
        // To one that began later it is nothing.
        #expect(beats.gaps(since: 7 * Self.second, now: 7 * Self.second + Beats.period).isEmpty)
    }

    /// Whoever looks first after a stop knows of it, though the next beat is still to come; and counts it once when it has.
    @Test func aGapIsSeenBeforeTheBeatThatEndsIt() {
        var beats = Beats(at: 0)
        #expect(beats.gaps(since: 0, now: 6 * Self.second) == [.init(0..<6 * Self.second)])
        beats.beat(at: 6 * Self.second)
        #expect(beats.gaps(since: 0, now: 6 * Self.second) == [.init(0..<6 * Self.second)])
    }

    /// Whoever was ready and had no processor was not stopped.
    @Test func whatOthersTookIsNoStop() {
        var beats = Beats(at: 0)
        beats.beat(at: Self.second, waited: Self.second - Beats.period)
        beats.beat(at: 3 * Self.second, waited: Self.second)
        let gaps = beats.gaps(since: 0, now: 3 * Self.second)
        #expect(gaps.map(\.length) == [Self.second, 2 * Self.second])
        #expect(gaps.map(\.stopped) == [Beats.period, Self.second])
    }

    @Test func gapsAreForgottenBeforeTheyAreTooMany() {
        var beats = Beats(at: 0)
        for number in 1...Int64(20_000) { beats.beat(at: number * Self.second) }
        let gaps = beats.gaps(since: 0, now: 20_000 * Self.second)
        #expect(gaps.count < 10_000 && gaps.last?.range.upperBound == 20_000 * Self.second)
    }
}
