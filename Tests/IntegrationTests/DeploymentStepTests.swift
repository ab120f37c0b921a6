import Checkers
import Foundation
import Reports
import Testing

/// Scenarios whose steps deploy, roll back and validate a tree in the trial's own /tmp.
@Suite("Deployments as steps", .serialized)
struct DeploymentStepTests {
    private static let here = "\(Command.root)/scenarios/deployments"

    private func scenario(_ steps: String, faults: String = "[]") -> String {
        """
        topology:
          processes:
            - role: prepare
              command: [sh, "\(Self.here)/prepare.sh", "${fracas}", "${python}", "\(Command.root)/fixtures/exo", "\(Self.here)", deploy]
              ready: exit
        steps:
          - start: {roles: prepare}
            within: 60s
        \(steps)
          - run: {command: [sh, -c, 'exec "$0" service stop --force --tree /tmp/tree', "${fracas}"]}
            name: end
          - run: {command: [rm, -r, /tmp/tree, /tmp/sums]}
        faults: \(faults)
        """
    }

    @Test func eachEndsAsItSays() throws {
        let (command, summary) = try Command.run(
            scenario: scenario(
                """
                  - validate: {tree: /tmp/tree}
                  - rollback: {tree: /tmp/tree, expect: killed}
                    within: 60s
                  - validate: {tree: /tmp/tree}
                    within: 60s
                  - deploy: {tree: /tmp/tree, release: /tmp/nowhere, expect: refused}
                  # What is there already is not deployed, so the release gets something new.
                  - run: {command: [sh, -c, 'echo more >/tmp/tree/releases/fixed/src/more']}
                  - deploy: {tree: /tmp/tree, set: {INSTALL_COMMAND: /bin/false}, expect: [undone, unfinished]}
                    within: 60s
                  - rollback: {tree: /tmp/tree, backup: latest}
                    within: 60s
                  - run: {command: [sh, -c, 'exec "$0" service stop --force --tree /tmp/tree', "${fracas}"]}
                  - validate: {tree: /tmp/tree, expect: unhealthy}
                """,
                // In its exchange of the directories.
                faults: "[{kill: KILL, at: {roles: \"rollback[0]\", call: renameat2, path: /tmp/tree/src}}]"))
        #expect(summary.verdict == .held, "\(command.output)")
        #expect(summary.scenarios[0].faultsFired == 1)
    }

    @Test func anUnhealthyTreeMakesTheTrialFail() throws {
        let (command, summary) = try Command.run(
            scenario: scenario(
                """
                  - run: {command: [sh, -c, 'exec "$0" service stop --force --tree /tmp/tree', "${fracas}"]}
                  - validate: {tree: /tmp/tree}
                    name: proof
                """))
        #expect(summary.verdict == .violated, "\(command.output)")
        #expect(summary.findings.map(\.signature) == ["exit 1 of validator"])
        let says = "step 'proof' failed: validator[0] ended with exit 1 (unhealthy), expected was exit 0 (healthy)"
        #expect(summary.problems.contains { $0.text.contains(says) }, "\(summary.problems)")
    }
}
