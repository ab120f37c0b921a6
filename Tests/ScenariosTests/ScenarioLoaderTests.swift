import Foundation
import Testing

import Scenarios

private let minimal = """
    topology:
      processes:
        - {role: node, command: [sleep, "9"], count: 2}
      children:
        - {role: worker, of: node, count: 2}
      channels:
        jobs: {writer: node, reader: worker}
    steps:
      - start: {}
      - stop: {roles: node, signal: TERM}
        name: shutdown
        within: 1.5s

    """

private func load(_ text: String, _ variables: [String: String] = [:]) throws -> Scenario {
    try ScenarioLoader.load(text: text, path: "/tmp/x.yaml", variables: variables)
}

private func problems(_ text: String) -> [String] {
    do {
        _ = try load(text)
        return []
    } catch let error as ScenarioError {
        return error.problems.map(\.description)
    } catch { return ["\(error)"] }
}

@Suite("Loading scenarios")
struct ScenarioLoaderTests {
    @Test func readsTopologyAndSteps() throws {
        let scenario = try load(minimal)
        #expect(scenario.topology.processes.map(\.role.description) == ["node[0]", "node[1]"])
        #expect(scenario.steps.map(\.name) == ["start", "shutdown"])
        #expect(scenario.steps[1].within == .milliseconds(1500))
    }

    @Test func readsEveryFault() throws {
        let scenario = try load(
            minimal + """
                faults:
                  - kill: KILL
                    at: {roles: worker, call: write}
                  - stop: {roles: "node[0]", for: 5ms..9ms}
                    after: 3ms
                    of: shutdown
                  - delay: 200ms
                    at: {roles: worker, call: read, channel: jobs, nth: 2..5, times: all}
                  - errno: EIO
                    at: {roles: node, call: openat, nth: 3}
                  - close: peer
                    at: {roles: node, call: write, channel: jobs}
                  - continue: {roles: node}
                    after: 1s
                  - freeze: {roles: node, for: 1s}
                    after: 1s
                  - starve: {roles: node, share: 10%, for: 1s}
                    after: 1s
                  - memory: {limit: 64MiB}
                    at: {roles: node, call: brk}
                  - exhaust: {for: 10ms}
                    at: {under: node, call: "%file", path: "/etc/*"}
                  - clock: {jump: -30s}
                    at: {roles: node, mark: x, fields: {id: 7}}
                  - hold: {until: kill-0, at-most: 2s}
                    at: {roles: node, call: [read, readv], on: exit, args: {0: 5, 2: "> 0x10"}}
                  - return: 9
                    at: {roles: node, call: write, thread: main, nth: 2, every: 3, last: 9}
                  - short: 1..5
                    at: {roles: node, call: read, ready: true, peer: "127.0.0.1:*"}
                  - delay: 1ms
                    at: {roles: node, function: "a.b:C.d", on: exit, probability: 0.5, after: kill-0}
                points:
                  here: {roles: node, call: write}
                """)
        #expect(
            scenario.faults.map(\.action.kind) == [
                "kill", "stop", "delay", "errno", "close", "continue", "freeze", "starve", "memory", "exhaust", "clock",
                "hold", "return", "short", "delay",
            ])
        #expect(scenario.points.map(\.name) == ["here"])
        #expect(scenario.faults[14].point?.place == .mark("return", fields: ["function": "a.b:C.d"]))
        #expect(scenario.faults[11].point?.conditions.arguments.count == 2)
        guard case .point(let point) = scenario.faults[2].trigger else {
            Issue.record("the delay is not at a point")
            return
        }
        #expect(point.window.nth == Point.Range(2, 5))
        #expect(point.window.times == nil)
    }

    @Test(arguments: [
        ("faults: [{delai: 2s}]", "x.yaml:13:11: unknown key 'delai' in a fault; did you mean 'delay'?"),
        ("faults: [{kill: TREM, at: {roles: node, call: write}}]", "'TREM' is not a signal; did you mean 'TERM'?"),
        ("faults: [{errno: EPIPO, at: {roles: node, call: write}}]", "did you mean 'EPIPE'?"),
        ("faults: [{kill: KILL, at: {roles: node, call: wirte}}]", "did you mean 'write'?"),
        ("faults: [{kill: KILL, at: {roles: nod, call: write}}]", "no process can have the role 'nod'"),
        ("faults: [{kill: KILL, at: {roles: \"worker[7]\", call: write}}]", "no process can have the role 'worker[7]'"),
        ("faults: [{close: peer, at: {roles: node, call: write, channel: job}}]", "did you mean 'jobs'?"),
        ("faults: [{close: peer, at: {roles: node, call: getppid}}]", "'close' needs a call on a descriptor"),
        ("faults: [{errno: EIO, at: {roles: node, call: \"%fiel\"}}]", "did you mean 'file'?"),
        ("faults: [{errno: EIO, at: {roles: node, call: getppid, path: /x}}]", "'path' can never hold of 'getppid'"),
        (
            "faults: [{errno: EIO, at: {roles: node, call: openat, channel: jobs}}]",
            "'channel' can never hold of 'openat'"
        ),
        ("faults: [{errno: EIO, at: {roles: node, call: \"%ipc\", ready: true, channel: jobs}}]", "can meet these"),
        (
            "faults: [{errno: EIO, at: {roles: node, call: unlink, unnamed: true}}]",
            "'unnamed' can never hold of 'unlink'"
        ),
        (
            "faults: [{errno: EIO, at: {roles: node, call: write, unnamed: true, channel: jobs}}]",
            "never holds with 'channel'"
        ),
        ("faults: [{errno: EIO, at: {roles: node, call: write, args: {6: 1}}}]", "numbered 0 to 5"),
        ("faults: [{errno: EIO, at: {roles: node, call: write, args: {2: [5, \"> 7\"]}}}]", "can never meet all"),
        ("faults: [{errno: EIO, at: {roles: node, call: write, args: {2: big}}}]", "'big' is not a condition"),
        ("faults: [{errno: EIO, at: {roles: node, call: write, nth: 5, last: 3}}]", "it never fires"),
        (
            "faults: [{errno: EIO, at: {roles: node, call: write, after: nobody}}]",
            "neither a fault, a point nor a step"
        ),
        ("faults: [{name: a, errno: EIO, at: {roles: node, call: write, after: a}}]", "it never fires"),
        ("faults: [{errno: EIO, at: {roles: node, call: write, probability: 2}}]", "a probability above 0"),
        ("faults: [{errno: EIO, at: {roles: node, call: exit_group, on: exit}}]", "never returns"),
        ("faults: [{errno: EIO, at: {roles: node, call: exit_group}}]", "cannot be answered"),
        ("faults: [{errno: EIO, at: {roles: node, call: write, on: exti}}]", "did you mean 'exit'?"),
        ("faults: [{short: 3, at: {roles: node, call: openat}}]", "'short' needs a call that may transfer fewer"),
        ("faults: [{return: -5, at: {roles: node, call: write}}]", "that is 'errno'"),
        ("faults: [{hold: {until: x}, at: {roles: node, call: write}}]", "neither a fault, a point nor a step"),
        ("faults: [{hold: {}, at: {roles: node, call: write}}]", "'hold' needs 'until'"),
        ("faults: [{poke: {argument: 1}, at: {roles: node, call: write}}]", "'poke' needs"),
        ("faults: [{close: reset, at: {roles: node, call: write, on: exit}}]", "on entry"),
        ("faults: [{close: descriptor, at: {roles: node, call: fsync}}]", "reads or writes"),
        ("faults: [{starve: {roles: node, share: 0, for: 1s}, after: 1s}]", "a share from 1 to 99"),
        ("faults: [{memory: {roles: node}, after: 1s}]", "'memory' needs 'limit'"),
        ("faults: [{freeze: {}, after: 1s}]", "needs 'roles'"),
        ("faults: [{errno: EIO, at: {roles: node, function: main}}]", "module:name"),
        ("faults: [{errno: EIO, at: {roles: node, line: x, channel: jobs}}]", "is a condition on a call"),
        ("points: {a: {roles: node}}", "a point needs a 'call'"),
        (
            "faults: [{kill: KILL, name: a, at: {roles: node, call: write}}]\npoints: {a: {roles: node, call: read}}",
            "are named 'a'"
        ),
        ("faults: [{delay: 2s, after: 1s}]", "this fault happens in a call"),
        ("faults: [{kill: KILL, at: {roles: node, call: write, nth: 0}}]", "'0' is not a number from 1"),
        ("faults: [{kill: {roles: node}, after: 1s, of: shutdwn}]", "did you mean 'shutdown'?"),
        ("expect: {forbid: {x: \"(\"}}", "is not a regular expression"),
        ("expect: {exits: [{roles: node, allow: 300}]}", "'300' is not an exit code or a signal"),
        ("limits: {trial: soon}", "a time such as 200ms"),
        ("files: {writable: [results]}", "must be an absolute path"),
        ("files: {empty: [/var/tmp/]}", "is the trial's own as it is"),
        ("files: {writeable: [/srv]}", "did you mean 'writable'?"),
        ("summary: ${nobody}", "unknown variable '${nobody}'"),
        ("steps: []", "the key 'steps' stands twice"),
    ])
    func namesTheProblemAndTheRemedy(line: String, message: String) {
        let found = problems(minimal + line)
        #expect(found.contains { $0.contains(message) }, "found \(found)")
        #expect(found.allSatisfy { $0.contains("x.yaml:") })
    }

    @Test(arguments: [
        ("wait: {exit: n, must: true}", "", "'must' says nothing of {exit: …}"),
        ("wait: {port: 99999}", "", "'99999' is not a port, from 1 to 65535"),
        ("wait: {socket: run/x}", "", "'run/x' is not a socket's path"),
        ("stop: {roles: n, group: true}", "", "'group' says to whom a 'signal' goes, and there is none"),
        ("stop: {roles: n, must: true}", "", "unknown key 'must'"),
        ("start: {}", "ready: {log: x, port: 1}", "'ready' is one of"),
        ("start: {}", "ready: {log: x, roles: m}", "'ready' names the role 'm', which no process"),
    ])
    func whatMustComeIsSaidRight(step: String, ready: String, message: String) throws {
        func text(_ step: String, _ ready: String) -> String {
            "topology: {processes: [{role: n, command: [x]\(ready.isEmpty ? "" : ", \(ready)")}]}\nsteps: [{\(step)}]"
        }
        let found = problems(text(step, ready))
        #expect(found.contains { $0.contains(message) }, "\(found)")
        let steps = [
            "wait: {port: 80, must: true}", "wait: {socket: /x, roles: n}", "stop: {roles: n, signal: INT, group: yes}",
        ]
        for step in steps { #expect(problems(text(step, "ready: {log: x, roles: n}")) == []) }
        #expect(try load(text(steps[0], "")).steps[0].isOwed == true && load(text(steps[2], "")).steps[0].toGroup)
    }

    @Test func reportsEveryProblemAtOnce() {
        let found = problems(
            "topology: {processes: [{role: n, command: [x]}]}\nsteps: [{strat: {}}, {stop: {roles: m}}]\nfoo: 1")
        #expect(found.count >= 3)
    }

    @Test func variablesAreReplacedAndCommandLineWins() throws {
        let text = minimal.replacingOccurrences(of: "sleep", with: "\"${program}\"")
        #expect(try load(text, ["program": "/bin/x"]).topology.processes[0].command[0] == "/bin/x")
        let with = text.replacingOccurrences(of: "topology:\n", with: "topology:\n  with: {program: weak}\n")
        #expect(try load(with, ["program": "strong"]).topology.processes[0].command[0] == "strong")
        #expect(try load(with).topology.processes[0].command[0] == "weak")
    }

    @Test func missingFilesAreProblemsWithTheirLine() {
        let found = problems("topology: {file: nowhere.yaml}\nsteps: []")
        #expect(found.contains { $0.contains("x.yaml:1") && $0.contains("is not there") })
        #expect(throws: ScenarioError.self) { try ScenarioLoader.load(path: "/nonexistent.yaml", variables: [:]) }
    }

    @Test func bytesOfAnyKindNeverTrap() {
        var generator = SystemRandomNumberGenerator()
        let seeds = Array(minimal.utf8)
        for _ in 0..<400 {
            var bytes = seeds
            for _ in 0..<Int.random(in: 1...12, using: &generator) {
                let place = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes.remove(at: place)
                default: bytes.insert(UInt8.random(in: 32...126, using: &generator), at: place)
                }
            }
            _ = problems(String(decoding: bytes, as: UTF8.self))
        }
        for text in ["", "-", "&a [*a]", "[[[[[[", "\u{0}", "? ? ?", "{a: b: c}", "- - - -"] {
            #expect(!problems(text).isEmpty)
        }
    }

    @Test func scenariosOfTheRepositoryLoadAndSchemaIsPublished() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().path
        let names = try FileManager.default.contentsOfDirectory(atPath: "\(root)/scenarios").filter {
            $0.hasSuffix(".yaml")
        }
        #expect(names.count >= 15)
        for name in names {
            let scenario = try ScenarioLoader.load(
                path: "\(root)/scenarios/\(name)", variables: ["target": "/t", "python": "python3"])
            #expect(!scenario.faults.isEmpty)
            #expect(try JSONDecoder().decode(Scenario.self, from: JSONEncoder().encode(scenario)) == scenario)
        }
        let published = try String(contentsOfFile: "\(root)/scenarios/schema.json", encoding: .utf8)
        #expect(published == ScenarioSchema.text + "\n")
    }

    @Test func deploymentsAreStepsWithARole() throws {
        let scenario = try load(
            """
            topology: {processes: [{role: node, command: [x]}]}
            steps:
              - deploy: {tree: /t, release: "/r/${name}", skip-tests: true, expect: [done, killed]}
              - run: {command: [x]}
              - deploy: {tree: /t, set: {SKIP_TESTS: true, API_PORT: 5}}
              - rollback: {tree: /t}
              - rollback: {tree: /t, backup: 20260101_120000, emergency: yes, expect: undone}
              - validate: {tree: /t, since: 15m, expect: [unhealthy, 77]}
            faults: [{kill: KILL, at: {roles: "deployer[1]", call: write}}]
            """, ["fracas": "/bin/fracas", "name": "fixed"])
        let steps = scenario.steps.compactMap { step -> DeploymentStep? in
            if case .deployment(let deployment) = step.action { deployment } else { nil }
        }
        #expect(
            steps.map { $0.command.joined(separator: " ") } == [
                "/bin/fracas deploy --tree /t --release /r/fixed --skip-tests",
                "/bin/fracas deploy --tree /t --set API_PORT=5 --set SKIP_TESTS=true",
                "/bin/fracas rollback latest --tree /t",
                "/bin/fracas rollback 20260101_120000 --tree /t --emergency",
                "/bin/fracas validate --tree /t --since 15m",
            ])
        #expect(
            steps.map(\.expected) == [
                [.code(0), .signal(.kill)], [.code(0)], [.code(0)], [.code(1)], [.code(1), .code(77)],
            ])
        let roles = scenario.steps.indices.map { scenario.role(ofStep: $0)?.description }
        #expect(roles == ["deployer[0]", "run[1]", "deployer[1]", "rollback[0]", "rollback[1]", "validator[0]"])
        #expect(scenario.steps.map(\.name)[2] == "deploy-2")
        #expect(try JSONDecoder().decode(Scenario.self, from: JSONEncoder().encode(scenario)) == scenario)
    }

    @Test(arguments: [
        ("deploy: {}", "x.yaml:2:", "'deploy' needs a 'tree': where the deployed tree is in the trial"),
        ("deploy: {tree: tree}", "x.yaml:2:", "the tree must be given as a path from '/' on, not 'tree'"),
        ("deploy: {tree: /t, release: fixed}", "x.yaml:2:", "the release must be given as a path from '/' on"),
        (
            "deploy: {tree: /t, skiptests: true}", "x.yaml:2:",
            "unknown key 'skiptests' in 'deploy'; did you mean 'skip-tests'?"
        ),
        ("deploy: {tree: /t, emergency: true}", "x.yaml:2:", "unknown key 'emergency' in 'deploy'"),
        ("deploy: {tree: /t, dry-run: perhaps}", "x.yaml:2:", "'dry-run' must be true or false"),
        (
            "deploy: {tree: /t, expect: healthy}", "x.yaml:2:",
            "'healthy' is not an end of 'deploy' (done, undone, refused"
        ),
        ("validate: {tree: /t, expect: []}", "x.yaml:2:", "'expect' needs at least one of healthy, unhealthy"),
        ("validate: {tree: /t, expect: 300}", "x.yaml:2:", "'300' is not an end of 'validate'"),
        ("rollback: {tree: /t, backup: --emergency}", "x.yaml:2:", "'backup' cannot be '--emergency'"),
        ("rollback: {tree: /t, set: {\"A=B\": 1}}", "x.yaml:2:", "'A=B' cannot name a setting"),
        ("rollback: [tree]", "x.yaml:2:", "'rollback' must be a mapping"),
        ("stop: {roles: deployer}", "x.yaml:2:", "no process can have the role 'deployer'"),
    ])
    func namesWhatIsWrongWithADeployment(step: String, place: String, message: String) {
        let found = problems("topology: {processes: [{role: node, command: [x]}]}\nsteps: [{\(step)}]")
        #expect(found.contains { $0.contains(message) && $0.contains(place) }, "found \(found)")
    }

    @Test func aRoleIsTheStepsOrTheTopologys() {
        let found = problems(
            "topology: {processes: [{role: deployer, command: [x]}]}\nsteps: [{deploy: {tree: /t}}, {stop: {roles: deployer}}]"
        )
        #expect(
            found.count == 1 && found[0].contains("'deployer', which the topology has too: rename its own"), "\(found)")
    }

    @Test func rolesMatchFromTheirEnd() throws {
        let role = Role("node", 1).child("runner", 2)
        for text in ["runner", "runner[2]", "runner[*]", "node.runner", "node[1].runner[2]"] {
            #expect(try #require(RolePattern(parsing: text)).matches(role), "\(text)")
        }
        for text in ["node", "runner[1]", "node[0].runner", "unner"] {
            #expect(try !#require(RolePattern(parsing: text)).matches(role), "\(text)")
        }
        for text in ["", "a..b", "a[", "a[x]", "[1]", "a[-1]"] { #expect(RolePattern(parsing: text) == nil) }
    }
}

@Suite("Processes that may be started warm")
struct WarmProcessTests {
    private func text(_ command: String, _ warm: String) -> String {
        """
        topology:
          processes:
            - {role: node, command: \(command), warm: \(warm)}
        steps: [start: {}]
        """
    }

    @Test func whatIsLoadedIsRead() throws {
        let scenario = try load(text("[/usr/bin/python3, /s/main.py, -v]", "{import: [json, a.b], path: [/s/lib]}"))
        #expect(scenario.topology.processes[0].warm == .init(modules: ["json", "a.b"], path: ["/s/lib"]))
    }

    @Test(arguments: [
        ("[python3, /s/main.py]", "{path: [/s]}", "'warm' needs 'import'"),
        ("[python3, /s/main.py]", "{import: [a/b]}", "'a/b' is no name of a module"),
        ("[python3, /s/main.py]", "{import: [a], path: [lib]}", "'lib' must be an absolute path"),
        ("[python3, -c, pass]", "{import: [a]}", "needs a command that is a Python interpreter, its script"),
        ("[/bin/sh, /s/main.sh]", "{import: [a]}", "needs a command that is a Python interpreter, its script"),
        ("[python3, /s/main.py]", "{imports: [a]}", "did you mean 'import'?"),
    ])
    func whatCannotBeIsSaid(command: String, warm: String, message: String) {
        let found = problems(text(command, warm))
        #expect(found.contains { $0.hasPrefix("/tmp/x.yaml:3:") && $0.contains(message) }, "\(found)")
    }
}
