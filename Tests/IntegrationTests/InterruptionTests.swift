import Checkers
import Evidence
import Foundation
import Reports
import Testing

/// What signals do to calls at the gate: no more than they do without it.
@Suite("Interruptions at the gate", .serialized)
struct InterruptionTests {
    private func run(_ scenario: String, program: String = "") throws -> (summary: RunSummary, records: [Record]) {
        let directory = try Command.temporaryDirectory(["s.yaml": scenario, "t.py": program])
        let command = try Command.run(
            ["run", "s.yaml", "--format", "json", "--reports", "r", "--python", Command.python], in: directory)
        let summary = try JSONDecoder().decode(RunSummary.self, from: Data(command.output.utf8))
        let run = try #require(FileManager.default.contentsOfDirectory(atPath: "\(directory)/r").first)
        let records = try LedgerFile.read("\(directory)/r/\(run)/ledgers/trial-00001-s.jsonl")
        if summary.verdict == .held { try? FileManager.default.removeItem(atPath: directory) }
        return (summary, records)
    }

    private func lines(_ records: [Record]) -> [String] {
        records.compactMap { if case .line(let line) = $0.event { line.text } else { nil } }
    }

    /// A scenario with one Python program, which is to end by itself.
    private func scenario(_ extra: String) -> String {
        """
        topology:
          processes: [{role: p, command: ["${python}", "${here}/t.py"]}]
          children: [{role: c, of: p, start: fork}]
        steps:
          - start: {ready: false}
          - wait: {exit: p}
            within: 30s
        \(extra)
        """
    }

    /// Signals with a handler come while threads open and close a file, which Linux interrupts for nobody.
    @Test(arguments: [1, 2, 8])
    func aCallThatLinuxNeverInterruptsIsNotInterrupted(threads: Int) throws {
        let load = URL(fileURLWithPath: Command.program).deletingLastPathComponent().path + "/fracas-load"
        let (summary, records) = try run(
            """
            topology:
              processes:
                - {role: p, command: ["\(load)", interrupt, "2000", "--threads", "\(threads)"]}
              children: [{role: c, of: p, start: fork, count: 1}]
            steps:
              - start: {ready: false}
              - wait: {exit: p}
                within: 60s
            points:
              never: {under: p, call: [openat, close], nth: 2000000000}
            limits: {trial: 100s}
            """)
        #expect(summary.verdict == .held, "\(summary)")
        #expect(lines(records).contains { $0.hasSuffix("interrupted=0") })
        let broken = records.compactMap { if case .brokenCalls(let broken) = $0.event { broken } else { nil } }
        // Some are always broken off: were none, nothing would have been tried.
        let missed = try #require(broken.first)
        #expect(missed.missed > 0 && missed.unknown == 0 && missed.natural == 0)
        #expect(missed.healed + missed.restarted <= missed.missed)
    }

    /// A call that waits is interrupted as ever: each of these reads ends by its signal, or the program never does.
    @Test func aCallThatWaitsIsInterruptedAsEver() throws {
        let (summary, records) = try run(
            scenario("points: {never: {under: p, call: read, nth: 2000000000}}"),
            program: """
                import os, signal
                class Woken(Exception): pass
                def handler(*_): raise Woken
                signal.signal(signal.SIGALRM, handler)
                reading, writing = os.pipe()
                woken = 0
                for _ in range(50):
                    try:
                        signal.setitimer(signal.ITIMER_REAL, 0.003)
                        os.read(reading, 1)
                    except Woken:
                        woken += 1
                print("woken", woken, flush=True)
                """)
        #expect(summary.verdict == .held, "\(summary)")
        #expect(lines(records) == ["woken 50"])
    }

    /// The kernel begins a read again after each handler: it stays one read, and the third is the third.
    @Test func aCallThatIsBegunAgainIsCountedOnce() throws {
        let (summary, records) = try run(
            scenario(#"faults: [{name: third, errno: EIO, at: {roles: p, call: read, path: "pipe:\\[*]", nth: 3}}]"#),
            program: """
                import os, signal
                signal.signal(signal.SIGUSR1, lambda *_: None)
                signal.siginterrupt(signal.SIGUSR1, False)
                reading, writing = os.pipe()
                parent = os.getpid()
                if os.fork() == 0:
                    for _ in range(5):
                        for _ in range(4):
                            signal.sigtimedwait([], 0.01)
                            os.kill(parent, signal.SIGUSR1)
                        signal.sigtimedwait([], 0.01)
                        os.write(writing, b"x")
                    os._exit(0)
                results = []
                for _ in range(5):
                    try:
                        results.append(os.read(reading, 1).decode())
                    except OSError as error:
                        results.append(error.strerror)
                print(results, flush=True)
                os.wait()
                """)
        #expect(summary.verdict == .held, "\(summary)")
        #expect(lines(records) == ["['x', 'x', 'Input/output error', 'x', 'x']"])
    }

    private static let foreign = """
        import ctypes, mmap
        code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        code.write(bytes([0xB8, 20, 0, 0, 0, 0xCD, 0x80, 0xC3]))  # getpid as 32-bit programs make it
        ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()
        """
    private static let ring = """
        import ctypes
        ctypes.CDLL(None).syscall(425, 8, ctypes.create_string_buffer(256))
        """

    @Test(arguments: [Self.foreign, Self.ring])
    func whatNoFilterSeesIsNeverHeldWhereAFaultShouldHaveCoveredIt(text: String) throws {
        let fault =
            "faults: [{name: refuse, errno: EIO, optional: true, at: {roles: p, call: openat, path: /none, times: all}}]"
        let (summary, _) = try run(scenario(fault), program: text)
        #expect(summary.verdict == .inconclusive)
        #expect(summary.problems.contains { $0.text.contains("'refuse' may have missed it") }, "\(summary)")
    }

    @Test(arguments: [Self.foreign, Self.ring])
    func whatNoFilterSeesIsSaidWithTheVerdict(text: String) throws {
        let (summary, _) = try run(scenario(""), program: text)
        #expect(summary.verdict == .held)
        #expect("\(summary.notes)".contains("does not see what it does so"), "\(summary)")
    }

    @Test func aRingThatIsRefusedIsNotUsed() throws {
        let (summary, records) = try run(
            scenario("faults: [{name: no, errno: ENOSYS, at: {roles: p, call: io_uring_setup}}]"), program: Self.ring)
        #expect(summary.verdict == .held, "\(summary)")
        #expect(!records.contains { if case .unseen = $0.event { true } else { false } })
    }
}
