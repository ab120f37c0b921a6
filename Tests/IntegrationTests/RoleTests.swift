import Evidence
import Foundation
import Reports
import Scenarios
import Testing

/// Roles are told apart by ancestry and birth, on real processes.
@Suite("Roles")
struct RoleTests {
    /// A parent that stops each child at once after its birth, mostly before its first call, and lets them go youngest first:
    /// the last born shows itself before the first.
    private static let reversed = """
        topology:
          processes:
            - role: parent
              command:
                - ${python}
                - -u
                - -c
                - |
                  import os, signal
                  os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
                  children = []
                  for number in range(8):
                      child = os.fork()
                      if child == 0:
                          print("born", number)
                          os._exit(0)
                      os.kill(child, signal.SIGSTOP)
                      children.append(child)
                  for child in reversed(children):
                      os.kill(child, signal.SIGCONT)
                      os.waitpid(child, 0)
          children:
            - {role: child, of: parent, start: fork, count: 8}
        steps:
          - start: {}
          - wait: {exit: parent}
            within: 30s
        """

    @Test func indicesFollowTheOrderOfBirth() throws {
        let directory = try Command.temporaryDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try Self.reversed.write(toFile: "\(directory)/s.yaml", atomically: true, encoding: .utf8)
        let command = try Command.run(["run", "s.yaml", "--python", Command.python, "--reports", "r"], in: directory)
        #expect(command.status == 0, "\(command.output)\(command.errors)")
        let files = FileManager.default.enumerator(atPath: "\(directory)/r")?.compactMap { $0 as? String } ?? []
        let ledger = try #require(files.first { $0.hasSuffix(".jsonl") })
        let lines = try String(contentsOfFile: "\(directory)/r/\(ledger)", encoding: .utf8).split(separator: "\n")
        let roles = try lines.compactMap { text -> (String, String)? in
            let record = try JSONDecoder().decode(Record.self, from: Data(text.utf8))
            guard case .line(let line) = record.event, let role = line.subject.role else { return nil }
            return (line.text, role.description)
        }
        #expect(
            Dictionary(uniqueKeysWithValues: roles)
                == Dictionary(uniqueKeysWithValues: (0..<8).map { ("born \($0)", "parent[0].child[\($0)]") }))
    }

    /// A child executes a program that its rule's pattern is not for. How it ends is then judged by its rule all the same, unless it had
    /// its role only as one that executes nothing.
    @Test(arguments: [("any", "exit 3 of p.c"), ("fork", nil)])
    func aRoleOutlivesAnotherProgram(start: String, found: String?) throws {
        let (_, summary) = try Command.run(
            scenario: """
                topology:
                  processes:
                    - {role: p, command: [sh, "${here}/p.sh"]}
                  children:
                    - {role: c, of: p, start: \(start), command: "true one"}
                steps:
                  - start: {ready: false}
                  - wait: {exit: p}
                """,
            files: ["p.sh": "sh -c 'true one; exec sh -c \"exit 3\"' & wait\n"])
        #expect(summary.findings.map(\.signature) == [found].compactMap(\.self), "\(summary)")
    }
}
