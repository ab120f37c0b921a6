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
                """)
        #expect(scenario.faults.map(\.name) == ["kill-0", "stop-1", "delay-2", "errno-3", "close-4", "continue-5"])
        guard case .point(let point) = scenario.faults[2].trigger else {
            Issue.record("the delay is not at a point")
            return
        }
        #expect(point.nth == Point.Range(2, 5))
        #expect(point.times == nil)
    }

    @Test(arguments: [
        ("faults: [{delai: 2s}]", "x.yaml:13:11: unknown key 'delai' in a fault; did you mean 'delay'?"),
        ("faults: [{kill: TREM, at: {roles: node, call: write}}]", "'TREM' is not a signal; did you mean 'TERM'?"),
        ("faults: [{errno: EPIPO, at: {roles: node, call: write}}]", "did you mean 'EPIPE'?"),
        ("faults: [{kill: KILL, at: {roles: node, call: wirte}}]", "did you mean 'write'?"),
        ("faults: [{kill: KILL, at: {roles: nod, call: write}}]", "no process can have the role 'nod'"),
        ("faults: [{kill: KILL, at: {roles: \"worker[7]\", call: write}}]", "no process can have the role 'worker[7]'"),
        ("faults: [{close: peer, at: {roles: node, call: write, channel: job}}]", "did you mean 'jobs'?"),
        ("faults: [{close: peer, at: {roles: node, call: write}}]", "'close' needs a point on a channel"),
        ("faults: [{delay: 2s, after: 1s}]", "this fault happens in a call"),
        ("faults: [{kill: KILL, at: {roles: node, call: write, nth: 0}}]", "'0' is not a number from 1"),
        ("faults: [{kill: {roles: node}, after: 1s, of: shutdwn}]", "did you mean 'shutdown'?"),
        ("expect: {forbid: {x: \"(\"}}", "is not a regular expression"),
        ("expect: {exits: [{roles: node, allow: 300}]}", "'300' is not an exit code or a signal"),
        ("limits: {trial: soon}", "a time such as 200ms"),
        ("summary: ${nobody}", "unknown variable '${nobody}'"),
        ("steps: []", "the key 'steps' stands twice"),
    ])
    func namesTheProblemAndTheRemedy(line: String, message: String) {
        let found = problems(minimal + line)
        #expect(found.contains { $0.contains(message) }, "found \(found)")
        #expect(found.allSatisfy { $0.contains("x.yaml:") })
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
