import Checkers
import Foundation
import Reports
import Testing

@Suite("Points, on real processes")
struct PointTests {
    private func seen(
        _ fault: String, _ pattern: String, parent: String = Pair.readAll, child: String = Pair.writeThree,
        extra: String = ""
    ) throws -> Bool {
        let text = Pair.scenario(
            parent: parent, child: child, faults: fault, extra: Pair.looksFor(pattern) + "\n" + extra)
        let (_, summary) = try Command.run(scenario: text)
        #expect(summary.problems.isEmpty, "\(fault): \(summary.problems)")
        return summary.findings.contains { $0.signature == "seen" }
    }

    private static let writeNine = """
        for word in b"123456789":
            try: os.write(w, bytes([word]))
            except OSError: pass
        """

    @Test(arguments: [
        ("nth: 2, times: 3", "got 156789$"), ("nth: 2, last: 4", "got 156789$"), ("every: 2", "got 2468$"),
        ("nth: 2, every: 3", "got 134679$"), ("nth: 2, every: 3, last: 6", "got 1346789$"), ("times: all", "got $"),
        ("nth: 9", "got 12345678$"), ("probability: 1", "got $"),
    ])
    func windows(window: String, got: String) throws {
        let fault = "{errno: EIO, at: {roles: child, call: write, channel: data, \(window)}}"
        #expect(try seen(fault, got, child: Self.writeNine))
    }

    @Test func probabilityIsDrawnWithTheSeed() throws {
        let text = Pair.scenario(
            child: Self.writeNine,
            faults: "{errno: EIO, at: {roles: child, call: write, channel: data, probability: 0.5}}",
            extra: Pair.looksFor("got.*"))
        func got(_ seed: String) throws -> String {
            try #require(try Command.run(scenario: text, ["--seed", seed]).1.findings.first?.message)
        }
        let drawn = try (1...6).map { try got(String($0)) }
        #expect(try got("1") == drawn[0])
        #expect(Set(drawn).count > 2)
    }

    @Test func onlyAfterAndOnlyBefore() throws {
        let points =
            "points: {third: {roles: child, call: write, channel: data, nth: 3}, sixth: {roles: child, call: write, channel: data, nth: 6}}"
        func fault(_ window: String) -> String {
            "{errno: EIO, at: {roles: child, call: write, channel: data, times: all, \(window)}}"
        }
        // A point is reached as its call is entered, before the faults that come behind it in the file are looked at: named
        // points come last, so a fault at the same call is not yet after it.
        #expect(try seen(fault("after: third"), "got 123$", child: Self.writeNine, extra: points))
        #expect(try seen(fault("before: third"), "got 456789$", child: Self.writeNine, extra: points))
        #expect(try seen(fault("after: third, before: sixth"), "got 123789$", child: Self.writeNine, extra: points))
    }

    @Test(arguments: [
        ("args: {2: 1}", true), ("args: {2: 2}", false), ("args: {2: \">= 1\"}", true), ("args: {2: \"< 1\"}", false),
        ("args: {2: \"& 1\"}", true), ("args: {2: [\"> 0\", \"!= 5\"]}", true), ("thread: main", true),
        ("thread: \"py*\"", true), ("path: \"pipe:*\"", true),
    ])
    func conditions(condition: String, isMet: Bool) throws {
        let text = Pair.scenario(
            faults: "{errno: EIO, at: {roles: child, call: write, channel: data, \(condition)}}",
            extra: Pair.looksFor("failed 5"))
        let (_, summary) = try Command.run(scenario: text)
        #expect(summary.verdict == (isMet ? .violated : .inconclusive), "\(condition): \(summary)")
    }

    @Test func otherThreads() throws {
        let child = """
            def work(who):
                try: os.write(w, b"x"); print(who, "wrote")
                except OSError: print(who, "failed")
            t = threading.Thread(target=work, args=["other"]); t.start(); t.join()
            work("main")
            """
        let fault = "{errno: EIO, at: {roles: child, call: write, channel: data, thread: other, times: all}}"
        #expect(try seen(fault, "other failed", child: child))
        #expect(try !seen(fault, "main failed", child: child))
    }

    @Test func whatHasANameIsNotUnnamed() throws {
        let child = """
            a, b = os.pipe()
            for what, end in ("own", b), ("channel", w):
                try: os.write(end, b"x"); print(what, "wrote", flush=True)
                except OSError: print(what, "failed", flush=True)
            """
        // Its output is a pipe too, and the lines come.
        let fault = "{errno: EIO, at: {roles: child, call: write, path: \"pipe:*\", unnamed: true, times: all}}"
        #expect(try seen(fault, "own failed", child: child))
        #expect(try seen(fault, "channel wrote", child: child))
        let named = "{errno: EIO, at: {roles: child, call: write, channel: data, times: all}}"
        #expect(try seen(named, "own wrote", child: child))
        #expect(try seen(named, "channel failed", child: child))
    }

    @Test func whatChangesNothingIsNotEffective() throws {
        let child = """
            print("go", flush=True)
            for what, end in [("not open", 900 + i) for i in range(50)] + [("own", w)]:
                try: os.close(end); print(what, "closed", flush=True)
                except OSError as e: print(what, "failed", e.errno, flush=True)
            for how in (signal.SIG_BLOCK, signal.SIG_BLOCK, signal.SIG_UNBLOCK):
                try: signal.pthread_sigmask(how, [signal.SIGTERM]); print(how, "set", flush=True)
                except OSError as e: print(how, "failed", e.errno, flush=True)
            """
        let begun = "points: {begun: {roles: child, line: \"^(go|own)\", nth: NTH}}"
        let (go, own) = ("1", "2")
        func points(_ nth: String) -> String { begun.replacingOccurrences(of: "NTH", with: nth) }
        let first = "{errno: EIO, at: {roles: child, call: close, effective: true, after: begun}}"
        #expect(try seen(first, "own failed 5", child: child, extra: points(go)))
        #expect(try !seen(first, "not open failed 5", child: child, extra: points(go)))
        let any = "{errno: EIO, at: {roles: child, call: close, after: begun}}"
        #expect(try seen(any, "not open failed 5", child: child, extra: points(go)))
        // To block what is blocked changes nothing, so the second that does is the one that opens.
        let second = "{errno: EIO, at: {roles: child, call: rt_sigprocmask, nth: 2, effective: true, after: begun}}"
        #expect(try seen(second, "1 failed 5", child: child, extra: points(own)))
        #expect(try !seen(second, "0 failed 5", child: child, extra: points(own)))
    }

    @Test func classesAndPaths() throws {
        let child = """
            for path in ("/etc/hosts", "/etc/passwd"):
                try: os.stat(path); os.close(os.open(path, 0)); print("opened", path)
                except OSError as e: print("failed", path, e.errno)
            """
        let fault = "{errno: EACCES, at: {roles: child, call: \"%file\", path: \"/etc/h*\", times: all}}"
        #expect(try seen(fault, "failed /etc/hosts 13", child: child))
        #expect(try seen(fault, "opened /etc/passwd", child: child))
    }

    @Test func relativePathsAreMadeWhole() throws {
        let child = """
            os.chdir("/etc"); d = os.open("/etc", 0)
            for call in (lambda: os.open("hosts", 0), lambda: os.open("hosts", 0, dir_fd=d)):
                try: call(); print("opened")
                except OSError as e: print("failed", e.errno)
            """
        let fault = "{errno: EACCES, at: {roles: child, call: openat, path: \"/etc/hosts\", nth: 2}}"
        #expect(try seen(fault, "opened", child: child))
        #expect(try seen(fault, "failed 13", child: child))
    }

    @Test func descendantsOfARole() throws {
        let child =
            "import subprocess; print(subprocess.run([\"/bin/cat\", \"/etc/hosts\"], capture_output=True).returncode)"
        #expect(try seen("{errno: EIO, at: {under: parent, call: openat, path: /etc/hosts}}", "^1$", child: child))
        let text = Pair.scenario(
            child: child, faults: "{errno: EIO, at: {roles: child, call: openat, path: /etc/hosts}}")
        #expect(try Command.run(scenario: text).1.verdict == .inconclusive, "cat is no child but a process below it")
    }

    @Test func marksArePoints() throws {
        let child = """
            for number in range(3):
                try: os.write(1179795779, b'{"mark":"here","id":%d}' % number)
                except OSError as e: print("mark", number, e.errno)
            """
        let fault = "{kill: KILL, at: {roles: child, mark: \"h*\", fields: {id: 1}}}"
        #expect(try seen(fault, "mark 0 9", child: child))
        #expect(try !seen(fault, "mark 1", child: child))
        #expect(try seen(fault, "child 9", child: child))
    }

    /// Who is killed as it writes a mark has not written it: that is no loss of evidence.
    @Test func marksOfTheKilledAreNotLost() throws {
        let parent = """
            os.wait()
            for number in range(60):
                r, w = os.pipe()
                child = os.fork()
                if child == 0:
                    os.write(w, b"x")
                    while True:
                        try: os.write(1179795779, b'{"mark":"again"}')
                        except OSError: pass
                os.read(r, 1)
                for _ in range(number * 10): os.getppid()
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
            """
        let text = Pair.scenario(parent: parent, child: "pass", extra: "limits: {records: 2000000}")
            .replacingOccurrences(of: "start: fork, count: 1}", with: "start: fork}")
        let exits = "expect: {exits: [{roles: child, allow: [0, KILL]}]}"
        let (_, summary) = try Command.run(scenario: text + "\n" + exits)
        #expect(summary.verdict == .held, "\(summary)")
    }

    // MARK: order

    /// Two children race to write a letter each into one pipe.
    private func race(first: Int, second: Int, bound: String = "10s") -> String {
        """
        topology:
          processes:
            - role: parent
              command:
                - ${python}
                - -u
                - -c
                - |
                  import os
                  r, w = os.pipe()
                  for i in range(2):
                      if os.fork() == 0:
                          os.write(w, b"AB"[i:i+1]); os._exit(0)
                  os.close(w)
                  os.wait(); os.wait()
                  print("order", os.read(r, 9).decode(), flush=True)
          children:
            - {role: child, of: parent, start: fork, count: 2}
        steps:
          - start: {}
          - wait: {exit: parent}
        points:
          wrote: {roles: "child[\(first)]", call: write, args: {2: 1}, on: exit}
        faults:
          - hold: {until: wrote, at-most: \(bound)}
            at: {roles: "child[\(second)]", call: write, args: {2: 1}}
        """
    }

    @Test(arguments: [(0, 1, "BA"), (1, 0, "AB")])
    func holdsForceAnOrder(first: Int, second: Int, wrong: String) throws {
        let text = race(first: first, second: second) + "\nexpect: {forbid: {wrong: \"order \(wrong)\"}}"
        let (_, summary) = try Command.run(scenario: text, ["--trials", "40"])
        #expect(summary.verdict == .held, "\(summary)")
        #expect(summary.scenarios[0].faultsFired >= 40)
    }

    /// close(2) is on whichever end of the channel its descriptor is: the child's own for writing, here.
    @Test(arguments: [("child", "w"), ("parent", "r")])
    func aCloseIsOnItsChannel(role: String, end: String) throws {
        let closes = "os.close(\(end))"
        let text = Pair.scenario(
            parent: Pair.readAll + (role == "parent" ? "\n" + closes : ""),
            child: "os.write(w, b\"a\")" + (role == "child" ? "\n" + closes : ""),
            faults: "{delay: 1ms, at: {roles: \(role), call: close, channel: data}}")
        let (_, summary) = try Command.run(scenario: text)
        #expect(summary.verdict == .held, "\(summary)")
        #expect(summary.scenarios[0].faultsFired == 1)
    }

    /// When a hold begins in a trial in which nothing else happens, its bound must pass all the same.
    @Test func aHoldThatWaitsInVainAloneEndsAtItsBound() throws {
        let text = Pair.scenario(
            child: "os.write(w, b\"a\")",
            faults: "{hold: {until: never, at-most: 50ms}, at: {roles: child, call: write, channel: data}}",
            extra: "points: {never: {roles: child, call: fsync}}"
        ).replacingOccurrences(of: "within: 20s", with: "within: 3s")
        let (_, summary) = try Command.run(scenario: text)
        #expect(summary.verdict == .inconclusive && summary.findings.isEmpty, "\(summary)")
        #expect(summary.problems[0].text.contains("its bound passed"), "\(summary.problems)")
    }

    @Test func aHoldThatWaitsInVainIsInconclusive() throws {
        let (command, summary) = try Command.run(scenario: race(first: 1, second: 1, bound: "50ms"))
        #expect(summary.verdict == .inconclusive)
        #expect(command.status == 3)
        #expect(summary.problems[0].text.contains("its bound passed"), "\(summary.problems)")
    }
}
