import Certification
import Checkers
import Evidence
import Foundation
import Glibc
import Platform
import Reports
import Testing
import Topologies

/// What befalls Fracas itself, or the helpers of a trial, accuses no target and loses nothing that was known.
@Suite("Fracas's own state", .serialized)
struct FracasStateTests {
    /// A target that is asked to stop, and does what the test says; it waits for files, which nobody at the gate sees.
    private static func scenario(_ within: String = "30s", trials expect: String = "exits: [{roles: t, allow: 0}]")
        -> String
    {
        """
        topology:
          processes:
            - role: t
              command: ["${python}", "${here}/target.py", "${here}"]
              ready: {log: up}
        points: {said: {roles: t, call: write}}
        steps:
          - start: {}
          - stop: {roles: t, signal: TERM}
            name: shutdown
            within: \(within)
        files: {writable: ["${here}"]}
        expect: {\(expect)}
        """
    }

    private static let prelude = """
        import os, signal, sys, time
        here = sys.argv[1]
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        def tell(name): os.close(os.open(here + "/" + name, os.O_CREAT | os.O_WRONLY))
        def wait(name):
            while not os.path.exists(here + "/" + name): time.sleep(0.005)
        os.write(1, b"up\\n")
        signal.sigwait([signal.SIGTERM])

        """

    /// Fracas, under way in a directory of its own.
    private struct Run {
        let directory: String
        let process: Process
        let output: Pipe

        init(_ files: [String: String], _ arguments: [String]) throws {
            directory = try Command.temporaryDirectory(files)
            process = Process()
            output = Pipe()
            process.executableURL = URL(fileURLWithPath: Command.program)
            process.arguments = arguments + ["--python", Command.python, "--reports", "r"]
            process.currentDirectoryURL = URL(fileURLWithPath: directory)
            process.standardOutput = output
            process.standardError = FileHandle.nullDevice
            process.standardInput = FileHandle.nullDevice
            try process.run()
        }

        /// Blocks until a file is there that the target makes.
        func wait(for name: String) {
            while !FileManager.default.fileExists(atPath: "\(directory)/\(name)"), process.isRunning { sched_yield() }
        }

        func make(_ name: String) { _ = FileManager.default.createFile(atPath: "\(directory)/\(name)", contents: nil) }

        func send(_ signal: Int32) { kill(process.processIdentifier, signal) }

        /// Its children, or those of a process.
        func children(of pid: Int32? = nil) -> [Int32] {
            let pid = pid ?? process.processIdentifier
            return ProcFile.numbers("/proc/\(pid)/task").flatMap { thread in
                (ProcFile.text("/proc/\(pid)/task/\(thread)/children") ?? "").split(separator: " ")
                    .compactMap { Int32($0) }
            }
        }

        func end() -> (status: Int32, text: String) {
            let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            return (process.terminationStatus, text)
        }

        var reports: String {
            let names = (try? FileManager.default.contentsOfDirectory(atPath: "\(directory)/r")) ?? []
            return "\(directory)/r/\(names.sorted().last ?? "")"
        }

        func check() throws -> Command { try Command.run(["check", reports], in: directory) }

        func remove() { try? FileManager.default.removeItem(atPath: directory) }
    }

    // MARK: standing still

    /// The target needs less time than it has; Fracas is stopped for longer than that.
    @Test(arguments: [SIGSTOP, SIGTSTP])
    func aDeadlineDoesNotRunWhileFracasIsStopped(signal: Int32) throws {
        let target = Self.prelude + "tell('asked'); time.sleep(1.5); tell('late'); os.write(1, b'bye\\n')\n"
        let run = try Run(["s.yaml": Self.scenario("1s"), "target.py": target], ["run", "s.yaml"])
        defer { run.remove() }
        run.wait(for: "asked")
        run.send(signal)
        run.wait(for: "late")
        run.send(SIGCONT)
        let (status, text) = run.end()
        #expect(status == 0, "\(text)")
        #expect(text.contains("held: 1 trials"), "\(text)")
    }

    /// Its own time-out runs on while its call is held, and so it fails for no fault of its own.
    @Test func aTargetsOwnTimeOutAccusesNobodyWhileFracasIsStopped() throws {
        let target =
            Self.prelude
            + "if os.fork() == 0:\n    tell('asked'); time.sleep(1); tell('late'); os._exit(0)\n"
            + "wait('asked')\nwait('stopped')\nbegun = time.monotonic()\nos.write(1, b'said\\n')\n"
            + "end = time.monotonic()\nos.wait()\nsys.exit(end - begun > 0.5)\n"
        let run = try Run(["s.yaml": Self.scenario(), "target.py": target], ["run", "s.yaml"])
        defer { run.remove() }
        run.wait(for: "asked")
        run.send(SIGSTOP)
        run.make("stopped")
        run.wait(for: "late")
        run.send(SIGCONT)
        let (status, text) = run.end()
        #expect(status == 3, "\(text)")
        #expect(text.contains("Fracas itself stood still for") && text.contains("exit 1 of t"), "\(text)")
        #expect(try run.check().status == 3)
    }

    /// Not having been stopped, it is accused.
    @Test func whoFailsByItselfIsAccused() throws {
        let run = try Run(["s.yaml": Self.scenario(), "target.py": Self.prelude + "sys.exit(1)\n"], ["run", "s.yaml"])
        defer { run.remove() }
        let (status, text) = run.end()
        #expect(status == 1 && text.contains("exit 1 of t"), "\(text)")
    }

    // MARK: helpers that are ended

    /// The first trial's init or guard is ended by somebody else; the second is as it should be.
    @Test(arguments: ["init", "guard"])
    func whoseInitIsEndedAccusesNobody(helper: String) throws {
        let target = Self.prelude + "tell('asked'); wait('go')\n"
        let run = try Run(
            ["s.yaml": Self.scenario(), "target.py": target], ["run", "s.yaml", "--trials", "2", "--jobs", "1"])
        defer { run.remove() }
        run.wait(for: "asked")
        let guards = run.children()
        for guardian in guards {
            if helper == "guard" {
                kill(guardian, SIGKILL)
            } else {
                for process in run.children(of: guardian) { kill(process, SIGKILL) }
            }
        }
        run.make("go")
        let (status, text) = run.end()
        #expect(status == 3 && text.contains("2 trials, 1 held, 0 violated, 1 inconclusive"), "\(text)")
        #expect(text.contains("init was ended from outside"), "\(text)")
        if let place = HostCapabilities.probe().cgroup?.unified {
            let names = (try? FileManager.default.contentsOfDirectory(atPath: place)) ?? []
            #expect(!names.contains { $0.hasPrefix("fracas-\(run.process.processIdentifier)-") }, "\(names)")
        }
    }

    /// The interpreter of warm starts is started again, and trials that it has made go on.
    @Test func aWarmInterpreterThatIsEndedIsStartedAgain() throws {
        let scenario = Self.scenario().replacingOccurrences(
            of: "      ready: {log: up}", with: "      ready: {log: up}\n      warm: {import: [asyncio]}")
        let target = Self.prelude + "tell('asked'); wait('go')\n"
        let run = try Run(
            ["s.yaml": scenario, "target.py": target],
            ["run", "s.yaml", "--warm", "--trials", "3", "--jobs", "1"])
        defer { run.remove() }
        run.wait(for: "asked")
        let interpreters = run.children().filter {
            (ProcFile.text("/proc/\($0)/cmdline") ?? "").contains("_fracas_warm.py")
                && (ProcFile.text("/proc/\($0)/status").flatMap { ProcFile.field("NSpid:", in: $0) } != nil)
                && run.children(of: $0).isEmpty
        }
        #expect(interpreters.count == 1)
        for pid in interpreters { kill(pid, SIGKILL) }
        run.make("go")
        let (status, text) = run.end()
        #expect(status == 0 && text.contains("3 trials, 3 held"), "\(text)")
    }

    /// One that ends each time as it loads is tried a few times, and then given up with the reason.
    @Test func aWarmInterpreterThatEndsEachTimeIsGivenUp() throws {
        let scenario = Self.scenario().replacingOccurrences(
            of: "      ready: {log: up}",
            with: "      ready: {log: up}\n      warm: {import: [ends], path: [\"${here}/modules\"]}")
        let run = try Run(
            ["s.yaml": scenario, "target.py": Self.prelude, "modules/ends.py": "import os; os._exit(1)"],
            ["run", "s.yaml", "--warm", "--trials", "6", "--jobs", "1"])
        defer { run.remove() }
        let (status, text) = run.end()
        #expect(status == 3 && text.contains("6 trials, 0 held, 0 violated, 6 inconclusive"), "\(text)")
        #expect(text.contains("it ended") && text.contains("3 times in a row"), "\(text)")
    }

    // MARK: runs that are ended

    /// Of a run that was killed what is whole is judged, and what was cut short is named.
    @Test(arguments: [0, 1])
    func whatIsWholeOfAKilledRunIsJudged(code: Int32) throws {
        let target =
            Self.prelude
            + "if not os.path.exists(here + '/first'): tell('first'); sys.exit(\(code))\ntell('asked'); wait('never')\n"
        let run = try Run(
            ["s.yaml": Self.scenario(), "target.py": target], ["run", "s.yaml", "--trials", "3", "--jobs", "1"])
        defer { run.remove() }
        run.wait(for: "asked")
        run.send(SIGKILL)
        _ = run.end()
        let check = try run.check()
        #expect(check.status == (code == 0 ? 3 : 1), "\(check.output)\(check.errors)")
        #expect(
            check.output.contains("2 trials, \(1 - code) held, \(code) violated, 1 inconclusive"), "\(check.output)")
        #expect(check.output.contains("ledgers/trial-00002-s.jsonl"), "\(check.output)")
        #expect(check.output.contains("interrupted"), "\(check.output)")
        #expect(try Command.run(["report", run.reports], in: run.directory).status == 0)
        // Loss of power may leave nothing of a file at all, or half a record in its middle.
        for (text, says) in [("", "cut short before its first record"), ("{\"seq\":0}\n{}\n", "not a record")] {
            try text.write(
                toFile: "\(run.reports)/ledgers/trial-00002-s.jsonl", atomically: true, encoding: .utf8)
            let again = try run.check()
            #expect(again.status == check.status && again.output.contains(says), "\(again.output)\(again.errors)")
        }
    }

    /// As timeout(1) asks, which sends to the process and to its group: the report comes, and what was under way is no violation.
    @Test func anInterruptionThatComesTwiceAtOnceEndsWithTheReport() throws {
        let target = Self.prelude + "tell('asked'); signal.pause()\n"
        let run = try Run(["s.yaml": Self.scenario(), "target.py": target], ["explore", "s.yaml", "--trials", "9"])
        defer { run.remove() }
        run.wait(for: "asked")
        run.send(SIGTERM)
        run.send(SIGINT)
        run.send(SIGTERM)
        let (status, text) = run.end()
        #expect(status == 130 && text.contains("inconclusive: ") && text.contains("0 violated"), "\(text)")
        #expect(text.contains("interrupted") && text.contains("report: "), "\(text)")
        #expect(try run.check().status == 3)
    }

    @Test func aSweepThatIsInterruptedInItsReferenceTrialIsInterrupted() throws {
        let target = Self.prelude + "tell('asked'); wait('never')\n"
        let run = try Run(["s.yaml": Self.scenario(), "target.py": target], ["sweep", "s.yaml"])
        defer { run.remove() }
        run.wait(for: "asked")
        run.send(SIGINT)
        let (status, text) = run.end()
        #expect(status == 130 && text.contains("interrupted") && text.contains("report: "), "\(text)")
    }
}
