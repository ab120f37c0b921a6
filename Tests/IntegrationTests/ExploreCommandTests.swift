import Certification
import Exploration
import Foundation
import Reports
import Testing

@Suite("Exploring a target")
struct ExploreCommandTests {
    /// A child that, once asked to stop, writes a word in two parts; its parent, asked first, reads what there is.
    static func scenario(_ parent: String) -> String {
        Pair.scenario(
            parent: """
                os.read(r, 1)
                print("up", flush=True)
                signal.sigwait([signal.SIGTERM])
                os.kill(pid, signal.SIGTERM)
                \(parent)
                """,
            child: """
                import ctypes
                ctypes.CDLL(None).prctl(1, signal.SIGKILL)
                os.write(w, b".")
                signal.sigwait([signal.SIGTERM])
                os.write(w, b"by"); os.write(w, b"e\\n")
                """,
            over: (
                setup: "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])\nr, w = os.pipe()",
                inChild: "os.close(r)", inParent: "os.close(w)"
            ),
            extra:
                "expect: {exits: [{roles: parent, allow: 0}], when-killed: [{roles: parent, exits: [{roles: child, allow: [0, KILL]}]}]}"
        )
        .replacingOccurrences(of: "if os.fork() == 0:", with: "pid = os.fork()\n            if pid == 0:")
        .replacingOccurrences(
            of: "  - wait: {exit: parent}\n    name: end\n    within: 20s",
            with: "  - wait: {log: up, roles: parent}\n  - stop: {roles: parent, signal: TERM}\n    name: shutdown\n"
                + "    within: 5s")
    }

    /// Reads until the stream ends.
    static let careful = """
        got = b""
        while part := os.read(r, 9): got += part
        os.waitpid(pid, 0)
        """
    /// Takes what is there at its first look for the whole word.
    static let hasty = """
        while os.waitpid(pid, os.WNOHANG) == (0, 0): signal.sigtimedwait([signal.SIGUSR1], 0.05)
        os.read(r, 9).index(b"e")
        """

    private func explore(_ parent: String, _ more: [String] = []) throws -> (Command, String) {
        let directory = try Command.temporaryDirectory()
        try Self.scenario(parent).write(toFile: "\(directory)/s.yaml", atomically: true, encoding: .utf8)
        let command = try Command.run(
            ["explore", "s.yaml", "--python", Command.python, "--reports", "r", "--seed", "7"] + more, in: directory)
        return (command, directory)
    }

    @Test func nothingIsFoundWhereNothingIsWrong() throws {
        let (command, directory) = try explore(Self.careful, ["--trials", "60"])
        defer { try? FileManager.default.removeItem(atPath: directory) }
        #expect(command.status == 0, "\(command.output)\(command.errors)")
        #expect(command.output.contains("0 violated"))
        let run = try #require(FileManager.default.contentsOfDirectory(atPath: "\(directory)/r").first)
        let data = try Data(contentsOf: URL(fileURLWithPath: "\(directory)/r/\(run)/coverage.json"))
        let coverage = try JSONDecoder().decode([ExplorationCoverage.Part].self, from: data)
        for kind in [Candidate.Kind.kill, .delay, .request, .orphan, .invert] {
            let part = try #require(coverage.first { $0.kind == kind }, "\(kind)")
            #expect(part.known > 0 && part.tried > 0 && part.tried <= part.known, "\(part)")
        }
        // Of the trials that held, only what tells is kept.
        let ledgers = try FileManager.default.contentsOfDirectory(atPath: "\(directory)/r/\(run)/ledgers")
        #expect(!ledgers.contains { $0.contains("reference") }, "\(ledgers)")
    }

    @Test func aRaceIsFoundAndItsCauseNamed() throws {
        let (command, directory) = try explore(Self.hasty, ["--trials", "200", "--first"])
        defer { try? FileManager.default.removeItem(atPath: directory) }
        #expect(command.status == 1, "\(command.output)\(command.errors)")
        #expect(command.output.contains("exit 1 of parent"), "\(command.output)")
        #expect(
            command.output.contains(try Regex("exit 1 of parent: s: (hold|delay|kill|ask)")), "\(command.output)")
    }

    @Test func theReportIsOneObject() throws {
        for (parent, more, status) in [
            (Self.hasty, ["--trials", "200", "--first"], Int32(1)), (Self.careful, ["--trials", "20"], 0),
        ] {
            let (command, directory) = try explore(parent, more + ["--format", "json"])
            defer { try? FileManager.default.removeItem(atPath: directory) }
            #expect(command.status == status, "\(command.output)\(command.errors)")
            let object = try JSONSerialization.jsonObject(with: Data(command.output.utf8)) as? [String: Any]
            let report = try #require(object, "\(command.output)")
            let trials = (report["summary"] as? [String: Any])?["trials"] as? Int
            let first = report["first"] as? [String: Any]
            #expect((first != nil) == (status == 1))
            // Some that were under way may still have ended before they were interrupted.
            if let first, let number = first["trials"] as? Int, let trials {
                #expect((1...trials).contains(number) && (first["seconds"] as? Double ?? 0) > 0)
            }
            #expect(
                (report["foundBy"] as? [String: String])?["exit 1 of parent"]?.isEmpty == (status == 1 ? false : nil))
            #expect((report["coverage"] as? [Any])?.isEmpty == false && (report["next"] as? [Any])?.isEmpty == false)
        }
    }

    @Test(arguments: ["random", "sweep", "inversion", "plain"])
    func everyStrategyRuns(strategy: String) throws {
        let (command, directory) = try explore(Self.careful, ["--trials", "24", "--strategy", strategy])
        defer { try? FileManager.default.removeItem(atPath: directory) }
        #expect(command.status == 0, "\(command.output)\(command.errors)")
        #expect(command.output.contains("24 trials"), "\(command.output)")
        let run = try #require(FileManager.default.contentsOfDirectory(atPath: "\(directory)/r").first)
        let data = try Data(contentsOf: URL(fileURLWithPath: "\(directory)/r/\(run)/coverage.json"))
        let kinds = try JSONDecoder().decode([ExplorationCoverage.Part].self, from: data).filter { $0.tried > 0 }
            .map(\.kind.rawValue)
        let allowed = ["random": ["random"], "sweep": ["kill", "delay"], "inversion": ["invert"], "plain": []]
        let mine = try #require(allowed[strategy])
        #expect(kinds.first == mine.first && Set(kinds).isSubset(of: mine), "\(kinds)")
    }

    @Test func whatCannotBeExploredIsExplained() throws {
        for (more, message) in [
            (["--from", "never"], "has no step 'never'"), (["--strategy", "luck"], "--strategy is one of guided"),
            (["--budget", "soon"], "takes a time such as"), (["--trials", "0"], "must be at least 1"),
        ] {
            let (command, directory) = try explore(Self.careful, more)
            defer { try? FileManager.default.removeItem(atPath: directory) }
            #expect(command.status != 0 && command.errors.contains(message), "\(more): \(command.errors)")
        }
    }
}
