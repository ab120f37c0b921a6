import Foundation
import Scenarios
import Testing

@Suite("A stored scenario is put to something else")
struct RetargetingTests {
    private let text = """
        topology:
          processes:
            - {role: main, command: ["${python}", "${target}/run.py", "--lib=${target}"], env: {A: "${target}.old:${size}"}}
          children:
            - {role: worker, of: main}
            - {role: deep, of: worker, count: 1}
            - {role: deep, of: deep}
        steps:
          - start: {}
          - run: {command: ["${python}", "-c", "python3"]}
          - stop: {roles: main, signal: TERM}
            name: shutdown
        faults:
          - {kill: KILL, at: {roles: "main[0].worker[31]", call: openat, path: "${target}/x*"}}
          - {kill: KILL, at: {roles: "main[0].worker[0].deep[0].deep[5].deep[1]", call: openat}}
        expect:
          forbid: {bad: "x{2}"}
          raises: [OSError]
          orphans: {allowed: [worker, deep]}
          when-killed:
            - {roles: worker, exits: [{roles: main, allow: [2, TERM]}], leaks: {tmp: ["a*"], ports: 80}, orphans: allowed, forbid: bad, raises: OSError}
        known:
          - orphan of main
          - {signature: "SIG* of main", why: by design}
        finding: exit 1 of main
        """

    private func load(_ python: String = "/opt/a/bin/python", size: String = "1") throws -> Scenario {
        try ScenarioLoader.load(
            text: text, path: "/s/s.yaml",
            variables: ["python": python, "target": "/srv/app", "size": size, "unused": "1"])
    }

    @Test func pathsAreReplacedWhereTheyAreWhole() throws {
        let scenario = try load()
        let other = try #require(scenario.replacing("/srv/app", with: "/srv/fix"))
        #expect(other.topology.processes[0].command[1...] == ["/srv/fix/run.py", "--lib=/srv/fix"])
        #expect(other.topology.processes[0].environment["A"] == "/srv/app.old:1")
        #expect(other.faults[0].point?.conditions.path == "/srv/fix/x*")
        #expect(other.expect == scenario.expect && other.finding == scenario.finding)
        #expect(scenario.replacing("/nowhere", with: "/x") == nil)
        let bare = try load("python3")
        let named = try #require(bare.replacing("python3", with: "/opt/b/bin/python"))
        #expect(named.topology.processes[0].command[0] == "/opt/b/bin/python")
        #expect(named.steps[1].action == .run(command: ["/opt/b/bin/python", "-c", "python3"], environment: [:]))
    }

    @Test func whichVariablesThereAreIsKept() throws {
        let scenario = try load()
        #expect(scenario.variables?.given == ["python": "/opt/a/bin/python", "target": "/srv/app", "size": "1"])
        #expect(scenario.variables?.names == ["python", "size", "target"])
        #expect(Scenario.Variables.problem(with: "size", of: [scenario]) == nil)
        #expect(Scenario.Variables.problem(with: "sise", of: [scenario])?.contains("did you mean 'size'?") == true)
        #expect(Scenario.Variables.problem(with: "zzz", of: [scenario])?.contains("python, size, target") == true)
        #expect(Scenario.Variables.problem(with: "index", of: [scenario])?.contains("Fracas's own") == true)
    }

    /// Of a scenario without its file all is written out, and reads back as it is.
    @Test func aLedgersOwnScenarioCanBeWritten() throws {
        let scenario = try load()
        let written = try ScenarioWriter(ownOf: scenario).text(of: scenario, at: "/s/out.yaml")
        let again = try ScenarioLoader.load(text: written, path: "/s/out.yaml", variables: [:])
        #expect(again.topology == scenario.topology && again.expect == scenario.expect, "\(written)")
        #expect(again.known == scenario.known && again.finding == "exit 1 of main", "\(written)")
        #expect(again.faults == scenario.faults && again.steps == scenario.steps, "\(written)")
    }

    @Test func processesOfARoleAreWrittenByTheirNumbers() throws {
        let scenario = try ScenarioLoader.load(
            text: """
                topology:
                  processes: {role: node, count: 3, command: [run, "--node=${index}", "10"], ready: {log: "node ${index} $${x}"}}
                steps: [{start: {}}]
                """, path: "/s/s.yaml", variables: [:])
        let written = try ScenarioWriter(ownOf: scenario).text(of: scenario, at: "/s/out.yaml")
        #expect(
            try ScenarioLoader.load(text: written, path: "/s/out.yaml", variables: [:]).topology == scenario.topology)
    }

    @Test(arguments: [
        ("orphans: {permitted: worker}", "unknown key 'permitted'"), ("orphans: yes", "'orphans: allowed'"),
        ("orphans: {}", "needs 'allowed'"), ("orphans: {allowed: wrker}", "no process can have the role"),
        ("when-killed: {roles: worker, forbid: nothing}", "not a forbidden text"),
        ("when-killed: {roles: worker, orphans: forbidden}", "{allowed: [worker]}"),
    ])
    func whatIsWrongIsSaid(_ expect: String, _ message: String) {
        let text = """
            topology:
              processes: {role: main, command: x}
              children: {role: worker, of: main}
            steps: [{start: {}}]
            expect: {\(expect)}
            """
        let error = #expect(throws: ScenarioError.self) {
            try ScenarioLoader.load(text: text, path: "x.yaml", variables: [:])
        }
        #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
    }
}
