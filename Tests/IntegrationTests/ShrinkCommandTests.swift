import Foundation
import Testing

@Suite("Shrinking a trial")
struct ShrinkCommandTests {
    /// A parent that waits for the second letter a tenth of a second at most, and a child that writes three.
    private static func scenario(parent: String, faults: String) -> String {
        Pair.scenario(
            parent: "import select\nos.read(r, 1)\n\(parent)\nwhile os.read(r, 9): pass\nos.wait()",
            child: """
                for letter in (b"a", b"b", b"c"):
                    try: os.write(w, letter)
                    except OSError: pass
                """,
            faults: faults, extra: "expect: {forbid: {gave up: '^gave up'}}")
    }

    private static let hasty = "if not select.select([r], [], [], 0.1)[0]: print('gave up', flush=True)"
    private static let broken = "print('gave up', flush=True)"
    private static let patient = "select.select([r], [], [])"
    private static let three = """
        {name: early, delay: 2ms, at: {roles: child, call: write, channel: data}},
          {name: late, delay: 400ms, at: {roles: child, call: write, channel: data, nth: 2}},
          {name: lost, errno: EIO, at: {roles: child, call: write, channel: data, nth: 3}}
        """

    /// Runs the scenario once; the directory has it as `s.yaml`.
    private func trial(_ parent: String, _ faults: String = three) throws -> (directory: String, ledger: String) {
        let directory = try Command.temporaryDirectory()
        try Self.scenario(parent: parent, faults: faults)
            .write(toFile: "\(directory)/s.yaml", atomically: true, encoding: .utf8)
        let run = try Command.run(["run", "s.yaml", "--python", Command.python, "--reports", "r"], in: directory)
        let names = FileManager.default.enumerator(atPath: "\(directory)/r")?.compactMap { $0 as? String } ?? []
        let ledger = try #require(names.first { $0.hasSuffix(".jsonl") }, "\(run.output)\(run.errors)")
        return (directory, "\(directory)/r/\(ledger)")
    }

    private func shrink(_ ledger: String, _ more: [String] = [], in directory: String) throws -> Command {
        try Command.run(
            ["shrink", ledger, "--python", Command.python, "--reports", "s", "--confirm", "10"] + more, in: directory)
    }

    @Test func ofThreeFaultsTheOneThatMattersIsLeft() throws {
        let (directory, ledger) = try trial(Self.hasty)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try FileManager.default.createDirectory(atPath: "\(directory)/kept", withIntermediateDirectories: true)
        let command = try shrink(ledger, ["--output", "kept/late.yaml"], in: directory)
        #expect(command.status == 0, "\(command.output)\(command.errors)")
        #expect(command.output.contains("of 3 faults 1 left"), "\(command.output)")
        #expect(command.errors.contains("1 fault left, "), "\(command.errors)")
        let text = try String(contentsOfFile: "\(directory)/kept/late.yaml", encoding: .utf8)
        #expect(text.contains("- name: late\n"), "\(text)")
        #expect(!text.contains("early") && !text.contains("lost") && text.contains("${python}"), "\(text)")

        let run = try Command.run(
            ["run", "kept/late.yaml", "--python", Command.python, "--trials", "3"], in: directory)
        #expect(run.status == 1 && run.output.contains("gave up"), "\(run.output)\(run.errors)")
    }

    /// Of a run's trials one met its failure by what no fault forces, and does not meet it again; another's fault forces it.
    @Test func ofARunTheTrialIsTakenThatGivesItReliably() throws {
        let directory = try Command.temporaryDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let lucky = "if os.path.exists('\(directory)/flag'): print('gave up', flush=True)"
        let early = "{name: early, delay: 2ms, at: {roles: child, call: write, channel: data}}"
        let late = "{name: late, delay: 400ms, at: {roles: child, call: write, channel: data, nth: 2}}"
        for (name, parent, faults) in [("a", lucky, early), ("b", Self.hasty, late), ("c", Self.patient, early)] {
            try Self.scenario(parent: parent, faults: faults)
                .write(toFile: "\(directory)/\(name).yaml", atomically: true, encoding: .utf8)
        }
        try Data().write(to: URL(fileURLWithPath: "\(directory)/flag"))
        let run = try Command.run(
            ["run", "a.yaml", "b.yaml", "c.yaml", "--python", Command.python, "--reports", "r"], in: directory)
        #expect(run.output.contains("2 violated"), "\(run.output)\(run.errors)")
        try FileManager.default.removeItem(atPath: "\(directory)/flag")
        let reports = try #require(FileManager.default.contentsOfDirectory(atPath: "\(directory)/r").first)
        let command = try shrink("r/\(reports)", in: directory)
        #expect(command.status == 0, "\(command.output)\(command.errors)")
        #expect(command.errors.contains("as in trial-00001-a: 0 of "), "\(command.errors)")
        #expect(command.errors.contains("as in trial-00002-b: 2"), "\(command.errors)")
        #expect(command.output.contains("delay of 400ms") && command.output.contains("b.yaml"), "\(command.output)")
        let none = try shrink("r/\(reports)", ["--signature", "no such"], in: directory)
        #expect(none.status == 2 && none.errors.contains("they have 'gave up'"), "\(none.errors)")
    }

    @Test func whatFailsByItselfIsSaidToDoSo() throws {
        let (directory, ledger) = try trial(Self.broken)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let command = try shrink(ledger, ["--format", "json"], in: directory)
        #expect(command.status == 0, "\(command.output)\(command.errors)")
        let report = try #require(
            JSONSerialization.jsonObject(with: Data(command.output.utf8)) as? [String: Any], "\(command.output)")
        #expect((report["schedule"] as? [Any])?.isEmpty == true, "\(command.output)")
        let file = try #require(report["file"] as? String)
        let text = try String(contentsOfFile: "\(directory)/\(file)", encoding: .utf8)
        #expect(text.contains("without any fault") && !text.contains("faults:"), "\(text)")
    }

    @Test func whatCannotBeShrunkIsExplained() throws {
        let (held, heldLedger) = try trial(Self.patient)
        let (violated, ledger) = try trial(Self.broken, "")
        defer { for directory in [held, violated] { try? FileManager.default.removeItem(atPath: directory) } }
        let whole = try Data(contentsOf: URL(fileURLWithPath: ledger))
        try whole.prefix(whole.count * 2 / 3).write(to: URL(fileURLWithPath: "\(violated)/short.jsonl"))
        for (arguments, directory, message) in [
            ([heldLedger], held, "was held"), ([ledger, "--signature", "no such"], violated, "it has 'gave up'"),
            (["short.jsonl"], violated, "has no end"), ([ledger, "--output", "s.yaml"], violated, "came from"),
            ([ledger, "--scenario", "gone.yaml"], violated, "is gone"),
            ([ledger, "--confirm", "0"], violated, "must be at least 1"), (["never.jsonl"], held, "is not there"),
        ] {
            let command = try shrink(arguments[0], Array(arguments.dropFirst()), in: directory)
            #expect(command.status == 2 && command.errors.contains(message), "\(arguments): \(command.errors)")
        }
    }

    /// A shrunk scenario is about its finding: what else there is on a fix stands apart.
    @Test func whatIsShrunkIsAboutItsFinding() throws {
        let (directory, ledger) = try trial(Self.hasty)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let command = try shrink(ledger, ["--output", "late.yaml"], in: directory)
        #expect(command.status == 0, "\(command.output)\(command.errors)")
        let text = try String(contentsOfFile: "\(directory)/late.yaml", encoding: .utf8)
        #expect(text.contains("\nfinding: gave up\n"), "\(text)")
        let fixed = text.replacing("print('gave up', flush=True)", with: "print('fixed'); os._exit(3)")
        #expect(fixed != text)
        try fixed.write(toFile: "\(directory)/fixed.yaml", atomically: true, encoding: .utf8)
        let run = try Command.run(
            ["run", "fixed.yaml", "--python", Command.python, "--trials", "3"], in: directory)
        #expect(run.status == 0, "\(run.output)\(run.errors)")
        #expect(run.output.contains("'gave up': gone in 3 of 3 trials"), "\(run.output)")
        #expect(run.output.contains("3 × exit 3 of parent: the scenario is for 'gave up'"), "\(run.output)")
        let still = try Command.run(
            ["run", "late.yaml", "--python", Command.python, "--trials", "2"], in: directory)
        #expect(still.status == 1 && still.output.contains("came in 2"), "\(still.output)")
    }

    @Test func ofAChangedFileTheLedgersOwnScenarioIsShrunk() throws {
        let (directory, ledger) = try trial(Self.hasty)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try Self.scenario(parent: "time.sleep(0)", faults: "")
            .write(toFile: "\(directory)/s.yaml", atomically: true, encoding: .utf8)
        let command = try shrink(ledger, ["--output", "late.yaml"], in: directory)
        #expect(command.status == 0, "\(command.output)\(command.errors)")
        #expect(command.errors.contains("written in full, from the ledger's own scenario"), "\(command.errors)")
        let run = try Command.run(["run", "late.yaml", "--trials", "2"], in: directory)
        #expect(run.status == 1 && run.output.contains("gave up"), "\(run.output)\(run.errors)")
    }

    @Test func aBudgetEndsWithWhatThereIs() throws {
        let (directory, ledger) = try trial(Self.hasty)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let none = try shrink(ledger, ["--budget", "1ms"], in: directory)
        #expect(none.status == 3 && none.output.contains("the budget is spent before"), "\(none.output)\(none.errors)")
        let ample = try shrink(ledger, ["--budget", "1h"], in: directory)
        #expect(ample.status == 0, "\(ample.output)\(ample.errors)")
        let wrong = try shrink(ledger, ["--budget", "soon"], in: directory)
        #expect(wrong.status == 2 && wrong.errors.contains("--budget takes a time"), "\(wrong.errors)")
    }
}
