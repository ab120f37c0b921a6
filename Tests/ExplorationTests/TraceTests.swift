import Evidence
import Exploration
import Scenarios
import Testing

@Suite("Traces")
struct TraceTests {
    private let runner = Subject(pid: 3, role: Role("node", 0).child("runner", 1))
    private let node = Subject(pid: 2, role: Role("node", 0))

    /// - Parameter others: which of them are not the main thread's.
    private func trace(_ reached: [(Subject, String, String?, String?)], others: Set<Int> = []) -> Trace {
        let records = reached.enumerated().map { index, one in
            Record(
                seq: index, time: Int64(index) * 1000,
                event: .point(
                    Reached(
                        point: "window 0", at: one.0, call: one.1, moment: .entry, nth: index + 1, object: one.2,
                        channel: one.3, thread: others.contains(index) ? 5 : 0)))
        }
        return Trace(records, window: "shutdown")
    }

    @Test func operationsAreCountedByKindAndRole() {
        let operations = trace([
            (runner, "write", "pipe:[7]", "events"), (node, "read", "pipe:[7]", "events"),
            (runner, "write", "pipe:[7]", "events"), (runner, "write", "mark sent", nil),
        ]).window
        #expect(operations.map { $0.point.window.nth.lower } == [1, 1, 2, 1])
        #expect(
            operations.map(\.kind) == [
                "node.runner write events", "node read events", "node.runner write events", "node.runner mark sent",
            ])
        #expect(operations.allSatisfy { $0.point.window.after == "shutdown" })
        #expect(operations[0].point.conditions.channel == "events")
    }

    @Test func idsAndCountsAreLeftOutOfWhatIsLookedFor() throws {
        let operations = trace([
            (runner, "write", "line runner 12 ends (1.5 s)", nil), (runner, "write", "line runner", nil),
            (node, "unlink", "/tmp/a-17.json", nil),
        ]).window
        guard case .line(let pattern) = operations[0].point.place, case .line(let short) = operations[1].point.place
        else {
            Issue.record("no lines")
            return
        }
        #expect(try Regex(pattern).firstMatch(in: "runner 3 ends (20.1 s)") != nil)
        // A line that begins another one is not that other one.
        #expect(try Regex(short).firstMatch(in: "runner 3 ends (20.1 s)") == nil)
        #expect(operations[2].point.conditions.path == "/tmp/a-*.json")
    }

    @Test func randomNamesAreLeftOutOfWhatIsLookedFor() {
        let operations = trace([
            (node, "unlink", "/tmp/tmpk3sbe9wi/x.sock", nil), (node, "unlink", "/tmp/tmp7_qw2aab/x.sock", nil),
            (node, "unlink", "/tmp/pymp-8q2m1x_r", nil), (node, "unlink", "/tmp/python3/libfoo64", nil),
        ]).window
        #expect(
            operations.map(\.point.conditions.path) == [
                "/tmp/*/x.sock", "/tmp/*/x.sock", "/tmp/pymp-*", "/tmp/python*/libfoo*",
            ])
        // The second of a kind, not another first.
        #expect(operations.map { $0.point.window.nth.lower } == [1, 2, 1, 1])
    }

    @Test func pipesOfChannelsAreNotCountedAmongThoseWithoutAName() {
        let operations = trace([
            (node, "read", "pipe:[7]", "events"), (node, "read", "pipe:[8]", nil), (node, "write", "line x", nil),
            (node, "write", "pipe:[8]", nil), (node, "read", "socket:[9]", nil),
        ]).window
        #expect(operations.map { $0.point.window.nth.lower } == [1, 1, 1, 1, 1])
        #expect(operations.map(\.point.conditions.isUnnamed) == [false, true, false, true, false])
    }

    @Test func whatSeveralThreadsDoIsCountedForEach() {
        let operations = trace(
            [
                (node, "read", "pipe:[8]", nil), (node, "read", "pipe:[8]", nil), (node, "read", "pipe:[8]", nil),
                (node, "wait4", nil, nil), (runner, "read", "pipe:[8]", nil),
            ], others: [1]
        ).window
        #expect(operations.map { $0.point.window.nth.lower } == [1, 1, 2, 1, 1])
        // Where only one does it there is nothing to tell apart.
        #expect(operations.map(\.point.conditions.thread) == [.main, .other, .main, nil, nil])
        #expect(operations[1].kind == "node read pipe:[#] by another thread")
        #expect(operations[1].point.description == #"node[0], read on pipe:\[*] by another thread, time 1"#)
    }

    @Test func whatChangesNothingIsNoOperation() {
        let operations = trace([
            (runner, "close", nil, nil), (runner, "close", "socket:[9]", nil), (runner, "close_range", nil, nil),
            (runner, "dup2", nil, nil), (runner, "rt_sigprocmask", nil, nil), (runner, "prctl", nil, nil),
            (runner, "wait4", nil, nil), (runner, "setsid", nil, nil),
        ]).window
        // What works on no descriptor has done something all the same; of a span the gate tells only when anything is in it.
        #expect(operations.map(\.call) == ["close", "close_range", "wait4", "setsid"])
        #expect(operations.map(\.point.conditions.isEffective) == [false, true, false, false])
        let places = trace([(runner, "close", "socket:[9]", nil)]).window
        #expect(places.first?.point.conditions.path == "socket:\\[*]", "by which one that is not open is not counted")
    }

    @Test func whatDecidesOverSignalsIsCountedByWhatItAsksFor() {
        let operations = trace([
            (runner, "rt_sigprocmask", "SIG_BLOCK, blocks SIGTERM", nil),
            (runner, "rt_sigprocmask", "SIG_SETMASK, opens SIGTERM", nil),
            (runner, "rt_sigprocmask", "SIG_BLOCK, blocks all", nil), (runner, "rt_sigaction", "SIGTERM handled", nil),
            (runner, "rt_sigaction", "SIGINT ignored", nil), (runner, "prctl", "PR_SET_PDEATHSIG", nil),
        ]).window
        #expect(operations.map { $0.point.window.nth.lower } == [1, 1, 2, 1, 1, 1])
        #expect(operations.map { $0.point.conditions.arguments.first?.value } == [0, 2, 0, 15, 2, 1])
        #expect(operations.allSatisfy { $0.point.conditions.isEffective })
        // Handlers are mostly set one after the other: they are alike.
        #expect(operations[3].kind == operations[4].kind)
        #expect(operations[0].kind != operations[1].kind)
    }

    @Test func lookingAtWhatNobodyChangesIsNothing() {
        let operations = trace([
            (node, "openat", "/usr/lib/python/os.py", nil), (node, "newfstatat", "/tmp/x", nil),
            (runner, "unlink", "/tmp/x", nil),
        ]).window
        #expect(operations.map(\.call) == ["newfstatat", "unlink"])
    }
}
