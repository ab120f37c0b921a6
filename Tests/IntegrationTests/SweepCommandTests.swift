import Certification
import Checkers
import Evidence
import Foundation
import Reports
import Testing

@Suite("Sweeping a window")
struct SweepCommandTests {
    /// A child that, once asked to stop, writes `count` letters into a pipe; its parent must get all of them or an end of file.
    private func scenario(_ parent: String, within: String) -> String {
        Pair.scenario(
            parent: parent,
            child: """
                signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
                print("up", flush=True)
                signal.sigwait([signal.SIGTERM])
                for letter in b"abc": os.write(w, bytes([letter]))
                """,
            extra: "expect: {exits: [{roles: child, allow: [0, KILL]}]}"
        ).replacingOccurrences(
            of: "  - wait: {exit: parent}\n    name: end\n    within: 20s",
            with: "  - wait: {log: up, roles: child}\n  - signal: {roles: child, signal: TERM}\n    name: shutdown\n"
                + "  - wait: {exit: parent}\n    within: \(within)")
    }

    private func sweep(
        _ parent: String, within: String = "30s", _ more: [String] = []
    ) throws -> (Command, [SweepCampaign.Coverage], String) {
        let directory = try Command.temporaryDirectory()
        try scenario(parent, within: within).write(toFile: "\(directory)/s.yaml", atomically: true, encoding: .utf8)
        let command = try Command.run(
            ["sweep", "s.yaml", "--roles", "child", "--python", Command.python, "--reports", "r"] + more, in: directory)
        let run = try #require(
            FileManager.default.contentsOfDirectory(atPath: "\(directory)/r").first, "\(command.errors)")
        let data = try Data(contentsOf: URL(fileURLWithPath: "\(directory)/r/\(run)/coverage.json"))
        return (command, try JSONDecoder().decode([SweepCampaign.Coverage].self, from: data), directory)
    }

    /// A child that closes what is not open, and `count` descriptors that are.
    private func closing(_ count: Int) throws -> [SweepCampaign.Coverage] {
        let directory = try Command.temporaryDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try Pair.scenario(
            parent: "os.read(r, 9)\nos.wait()",
            child: """
                signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
                os.write(w, b"."); print("up", flush=True)
                signal.sigwait([signal.SIGTERM])
                more = [os.dup(w) for _ in range(\(count))]
                os.closerange(1000, 1200)
                for one in range(300, 900):
                    try: os.close(one)
                    except OSError: pass
                for one in more: os.close(one)
                """,
            extra: "expect: {exits: [{roles: child, allow: [0, KILL]}]}"
        ).replacingOccurrences(
            of: "  - wait: {exit: parent}\n    name: end\n    within: 20s",
            with: "  - wait: {log: up, roles: child}\n"
                + "  - signal: {roles: child, signal: TERM}\n    name: shutdown\n  - wait: {exit: parent}\n    within: 20s"
        ).write(toFile: "\(directory)/s.yaml", atomically: true, encoding: .utf8)
        let command = try Command.run(
            ["sweep", "s.yaml", "--roles", "child", "--python", Command.python, "--reports", "r"], in: directory)
        #expect(command.status == 0, "\(command.output)\(command.errors)")
        let run = try #require(FileManager.default.contentsOfDirectory(atPath: "\(directory)/r").first)
        let data = try Data(contentsOf: URL(fileURLWithPath: "\(directory)/r/\(run)/coverage.json"))
        return try JSONDecoder().decode([SweepCampaign.Coverage].self, from: data)
    }

    @Test func closingWhatIsNotOpenIsNoPoint() throws {
        let few = try #require(try closing(2).first)
        #expect(few.known < 30 && few.visited == few.known, "\(few)")
        // Of what is open each is one.
        let more = try #require(try closing(5).first)
        #expect(more.known == few.known + 3, "\(few), \(more)")
    }

    private static let careful = "while os.read(r, 9): pass\nos.wait()"
    /// Waits for three letters, whatever became of who was to write them.
    private static let trusting = "got = b''\nwhile len(got) < 3: got += os.read(r, 9)\nos.wait()"

    @Test func everyPointIsVisitedAndHeld() throws {
        let (command, coverage, directory) = try sweep(Self.careful)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        #expect(command.status == 0, "\(command.output)\(command.errors)")
        let kill = try #require(coverage.first)
        #expect(kill.fault == "kill" && kill.role == "parent.child")
        // Three writes and the end, at least: what else Python does there is its own business.
        #expect(kill.known >= 4 && kill.visited == kill.known)
    }

    @Test func theOnePlaceThatBreaksIsFound() throws {
        let (command, coverage, directory) = try sweep(Self.trusting, within: "2s")
        defer { try? FileManager.default.removeItem(atPath: directory) }
        #expect(command.status == 1, "\(command.output)\(command.errors)")
        // It reads the end of the pipe over and over.
        #expect(command.output.contains("not ended in"), "\(command.output)")
        #expect(coverage.allSatisfy { $0.known == $0.visited })
    }

    @Test func aSweepGoesOnWhereItWas() throws {
        let (first, coverage, directory) = try sweep(Self.careful)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let run = try #require(FileManager.default.contentsOfDirectory(atPath: "\(directory)/r").first)
        let ledgers = "\(directory)/r/\(run)/ledgers"
        let names = try FileManager.default.contentsOfDirectory(atPath: ledgers).sorted()
        func inode(_ name: String) throws -> Int? {
            try FileManager.default.attributesOfItem(atPath: "\(ledgers)/\(name)")[.systemFileNumber] as? Int
        }
        let kept = try inode(names[1])
        try FileManager.default.removeItem(atPath: "\(ledgers)/\(names[0])")
        let again = try Command.run(
            ["sweep", "s.yaml", "--roles", "child", "--python", Command.python, "--resume", "r/\(run)"], in: directory)
        #expect(again.status == first.status, "\(again.output)\(again.errors)")
        #expect(FileManager.default.fileExists(atPath: "\(ledgers)/\(names[0])"))
        #expect(try inode(names[1]) == kept, "what was done is not done again")
        #expect(!coverage.isEmpty)
    }

    @Test func whatCannotBeSweptIsExplained() throws {
        let directory = try Command.temporaryDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try scenario(Self.careful, within: "30s").write(
            toFile: "\(directory)/s.yaml", atomically: true, encoding: .utf8)
        for (arguments, message) in [
            (["--from", "never"], "has no step 'never'"), (["--fault", "hurt"], "is not a fault to sweep with"),
            (["--roles", "[x"], "is not a role pattern"),
        ] {
            let command = try Command.run(["sweep", "s.yaml", "--python", Command.python] + arguments, in: directory)
            #expect(command.status == 2 && command.errors.contains(message), "\(arguments): \(command.errors)")
        }
    }
}
