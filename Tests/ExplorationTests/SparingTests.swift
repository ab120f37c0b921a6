import Checkers
import Evidence
import Exploration
import Scenarios
import Testing

@Suite("What is left alone")
struct SparingTests {
    private let main = Subject(pid: 2, role: Role("main", 0))
    private let worker = Subject(pid: 3, role: Role("main", 0).child("worker", 0))

    /// Everything that is tried of a trace in which these two write and read one pipe.
    private func tried(_ sparing: Sparing) throws -> [String] {
        let step = Step(
            name: "shutdown", action: .stop(roles: try #require(RolePattern(parsing: "main")), signal: .terminate),
            within: .seconds(5))
        let base = Scenario(name: "s", topology: Topology(processes: []), steps: [step])
        var explorer = try Explorer([base], window: "shutdown", strategy: .guided, seed: 1, sparing: sparing)
        let records = [(worker, "write"), (main, "read"), (worker, "write"), (main, "read")].enumerated().map {
            index, one in
            Record(
                seq: index, time: Int64(index) * 1000,
                event: .point(
                    Reached(
                        point: "window 0", at: one.0, call: one.1, moment: .entry, nth: index / 2 + 1,
                        object: "pipe:[7]", channel: "events")))
        }
        guard case .trial(let number, _) = explorer.next() else { return [] }
        explorer.finished(number, records, .held)
        var all: [String] = []
        for _ in 0..<60 {
            guard case .trial(let number, _) = explorer.next(),
                case .candidate(let candidate)? = explorer.purpose(of: number)
            else { continue }
            all += candidate.text.split(separator: "; ").map(String.init)
        }
        return all
    }

    @Test func whoIsSparedIsNeitherKilledNorAsked() throws {
        let all = try tried(Sparing())
        #expect(
            all.contains { $0.hasPrefix("kill it at main[0],") } && all.contains { $0.hasPrefix("ask again") }, "\(all)"
        )
        let rest = try tried(Sparing(roles: [try #require(RolePattern(parsing: "main"))]))
        #expect(!rest.contains { $0.hasPrefix("kill it at main[0],") || $0.hasPrefix("ask again") }, "\(rest)")
        // Others are killed as ever, and what it does comes late.
        #expect(rest.contains { $0.hasPrefix("kill it at main[0].worker[0],") }, "\(rest)")
        #expect(rest.contains { $0.hasPrefix("delay it at main[0],") }, "\(rest)")
    }

    @Test func withoutKillNobodyIsKilled() throws {
        let rest = try tried(Sparing(kinds: [.kill]))
        #expect(!rest.contains { $0.hasPrefix("kill") }, "\(rest)")
        #expect(rest.contains { $0.hasPrefix("delay it") } && rest.contains { $0.hasPrefix("ask again") }, "\(rest)")
        #expect(try tried(Sparing()).contains { $0.hasPrefix("kill main[0].worker[0] at") })
    }

    @Test func aSweepSparesToo() throws {
        let base = Scenario(
            name: "s", topology: Topology(processes: []),
            steps: [Step(name: "shutdown", action: .start(roles: nil, ready: true), within: .seconds(1))])
        let sweep = try Sweep(
            base, window: "shutdown", roles: nil, sparing: Sparing(roles: [try #require(RolePattern(parsing: "main"))]))
        let kill = Fault.Action.kill(roles: nil, signal: .kill)
        #expect(sweep.scenario(kill, at: .init(role: Role("main", 0), call: "read", nth: 1)) == nil)
        #expect(sweep.scenario(kill, at: .init(role: Role("main", 0).child("worker", 0), call: "read", nth: 1)) != nil)
        let late = Fault.Action.delay(Span(.milliseconds(1)))
        #expect(sweep.scenario(late, at: .init(role: Role("main", 0), call: "read", nth: 1)) != nil)
    }
}
