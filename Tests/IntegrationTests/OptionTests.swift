import Evidence
import Foundation
import Testing

/// Every option works or is an error: none is taken and forgotten.
@Suite("Options are believed")
struct OptionTests {
    /// Ends with what its interpreter, its target or a setting says.
    private static let scenario = """
        topology:
          file: t.yaml
        steps: [{start: {ready: false}}, {wait: {exit: main}, name: end}]
        """
    private static let topology = """
        with: {code: 1, from: python}
        processes:
          - {role: main, command: ["${here}/start", "${from}", "${python}", "${code}"]}
        """
    private static let start = """
        #!/bin/sh
        case $1 in python) exec "$2" x ;; code) exit "$3" ;; esac
        """

    /// A directory with the scenario, and interpreters that end with 1, 0 and 3.
    private func made() throws -> String {
        let directory = try Command.temporaryDirectory([
            "s.yaml": Self.scenario, "t.yaml": Self.topology, "start": Self.start,
            "one/bin/python": "#!/bin/sh\nexit 1",
            "zero/bin/python": "#!/bin/sh\nexit 0", ".venv/bin/python": "#!/bin/sh\nexit 3",
        ])
        for file in ["start", "one/bin/python", "zero/bin/python", ".venv/bin/python"] {
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: "\(directory)/\(file)")
        }
        return directory
    }

    private func ledger(_ reports: String, in directory: String) throws -> String {
        let names = FileManager.default.enumerator(atPath: "\(directory)/\(reports)")?.compactMap { $0 as? String }
        return "\(reports)/\(try #require(names?.first { $0.hasSuffix(".jsonl") }))"
    }

    private func run(_ arguments: String..., in directory: String) throws -> Command {
        try Command.run(arguments, in: directory)
    }

    @Test func aReplayRunsOnWhatItIsGiven() throws {
        let directory = try made()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let first = try run("run", "s.yaml", "--python", "one/bin/python", "--reports", "r", in: directory)
        #expect(first.status == 1 && first.output.contains("exit 1 of main"), "\(first.output)\(first.errors)")
        let ledger = try ledger("r", in: directory)
        #expect(try run("replay", ledger, in: directory).status == 1)
        let fix = try run("replay", ledger, "--python", "zero/bin/python", in: directory)
        #expect(fix.status == 0 && fix.errors.contains("not as in its trial: python"), "\(fix.output)\(fix.errors)")
        let set = try run("replay", ledger, "--set", "from=code", "--set", "code=0", in: directory)
        #expect(set.status == 0, "\(set.output)\(set.errors)")
        let vain = try run("replay", ledger, "--set", "cod=0", in: directory)
        #expect(vain.status == 2 && vain.errors.contains("did you mean 'code'?"), "\(vain.errors)")
        try Self.topology.replacing("role: main", with: "role: main, env: {A: b}")
            .write(toFile: "\(directory)/t.yaml", atomically: true, encoding: .utf8)
        let changed = try run("replay", ledger, "--set", "code=0", in: directory)
        #expect(changed.status == 2 && changed.errors.contains("has changed since the trial"), "\(changed.errors)")
        // Where nothing is asked of the file it does not matter.
        #expect(try run("replay", ledger, "--python", "zero/bin/python", in: directory).status == 0)
    }

    @Test func aReplayRunsOnAnotherTarget() throws {
        let text = """
            topology: {processes: {role: main, command: ["${target}/run"]}}
            steps: [{start: {ready: false}}, {wait: {exit: main}, name: end}]
            """
        let directory = try Command.temporaryDirectory([
            "s.yaml": text, "bad/run": "#!/bin/sh\nexit 1", "fix/run": "#!/bin/sh\nexit 0",
        ])
        defer { try? FileManager.default.removeItem(atPath: directory) }
        for file in ["bad/run", "fix/run"] {
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: "\(directory)/\(file)")
        }
        #expect(try run("run", "s.yaml", "--target", "bad", "--reports", "r", in: directory).status == 1)
        let ledger = try ledger("r", in: directory)
        #expect(try run("replay", ledger, in: directory).status == 1)
        let fix = try run("replay", ledger, "--target", "fix", in: directory)
        #expect(fix.status == 0 && fix.errors.contains("target \(directory)/fix"), "\(fix.output)\(fix.errors)")
        for (arguments, message) in [
            (["--release", "x"], "has no release 'x'"), (["--target", "none"], "is not a directory"),
            (["--python", "fix/run"], "does not use ${python}"),
        ] {
            let vain = try Command.run(["replay", ledger] + arguments, in: directory)
            #expect(vain.status == 2 && vain.errors.contains(message), "\(arguments): \(vain.errors)")
        }
    }

    /// Which interpreter is used does not depend on where Fracas is called, and is said.
    @Test func theInterpreterIsThatOfTheScenario() throws {
        let directory = try made()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try FileManager.default.createDirectory(atPath: "\(directory)/one/deep", withIntermediateDirectories: true)
        for (place, path) in [("", "s.yaml"), ("/one/deep", "../../s.yaml"), ("/zero", "\(directory)/s.yaml")] {
            let command = try run("run", path, "--reports", "r", in: "\(directory)\(place)")
            #expect(command.output.contains("exit 3 of main"), "\(command.output)\(command.errors)")
            #expect(command.errors.contains("python: \(directory)/.venv/bin/python (the nearest .venv above"))
        }
    }

    @Test func whatCannotWorkIsAnError() throws {
        let directory = try made()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        for (arguments, message) in [
            (["--python", "none/python"], "none/python' is not there"), (["--python", "./zero"], "is no program"),
            (["--python", "no-such-python"], "in no directory of PATH"),
            (
                ["--set", "cde=0"],
                "no scenario has a variable 'cde'; did you mean 'code'?; there are code, from, python"
            ),
            (["--set", "index=1"], "Fracas's own"), (["--set", "code=0", "--set", "code=1"], "'code' twice"),
            (["--set", "python=x", "--python", "zero/bin/python"], "say the same"),
            (["--release", "fixed"], "give --target too"), (["--warm"], "no process of these scenarios says 'warm'"),
        ] {
            let command = try Command.run(["run", "s.yaml"] + arguments, in: directory)
            #expect(command.status == 2 && command.errors.contains(message), "\(arguments): \(command.errors)")
            #expect(command.output.isEmpty)
        }
        let plain = try run("run", "s.yaml", "--set", "from=code", "--set", "code=0", in: directory)
        #expect(plain.status == 0, "\(plain.output)\(plain.errors)")
        for (arguments, message) in [
            (["--spare", "mian"], "no process of these scenarios has that role"),
            (["--without", "kll"], "takes one of"),
        ] {
            let command = try Command.run(["explore", "s.yaml", "--from", "end"] + arguments, in: directory)
            #expect(command.status == 2 && command.errors.contains(message), "\(arguments): \(command.errors)")
        }
    }

    @Test func whatIsIgnoredMakesNoTrialViolated() throws {
        let directory = try made()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let arguments = ["run", "s.yaml", "--python", "one/bin/python", "--reports", "r"]
        let command = try Command.run(arguments + ["--ignore", "exit 1 of *"], in: directory)
        #expect(command.status == 0 && command.output.contains("set aside"), "\(command.output)\(command.errors)")
        #expect(try Command.run(arguments + ["--ignore", "exit 2 of *"], in: directory).status == 1)
        // The ledger says what was set aside, so whoever judges it again comes to the same.
        let again = try run("check", ledger("r", in: directory), in: directory)
        #expect(again.output.contains("set aside") || again.status == 1)
        try (Self.scenario + "\nknown: [{signature: exit 1 of main, why: it is what it says}]\n")
            .write(toFile: "\(directory)/s.yaml", atomically: true, encoding: .utf8)
        let known = try Command.run(arguments, in: directory)
        #expect(known.status == 0 && known.output.contains("it is what it says"), "\(known.output)")
    }
}
