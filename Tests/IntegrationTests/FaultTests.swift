import Checkers
import Foundation
import Reports
import Testing

/// A parent that forks a child with a pipe between them: the smallest topology with a channel.
private func pair(parent: String, child: String, faults: String, extra: String = "") -> String {
    let program = """
        import os, signal, sys
        r, w = os.pipe()
        if os.fork() == 0:
            os.close(r)
        \(child.split(separator: "\n").map { "    " + $0 }.joined(separator: "\n"))
            os._exit(0)
        os.close(w)
        \(parent)
        """
    let lines = program.split(separator: "\n").map { "            " + $0 }.joined(separator: "\n")
    return """
        topology:
          processes:
            - role: parent
              command:
                - ${python}
                - -u
                - -c
                - |
        \(lines)
          children:
            - {role: child, of: parent, start: fork, count: 1}
          channels:
            data: {writer: child, reader: parent}
        steps:
          - start: {}
          - wait: {exit: parent}
            name: end
            within: 10s
        \(faults)
        \(extra)
        """
}

/// The parent reads when the child has ended, so that which of them comes first is not left to chance.
private let readAll = """
    print("child", os.waitpid(-1, 0)[1], flush=True)
    got = b""
    while chunk := os.read(r, 100):
        got += chunk
    print("got", got.decode(), flush=True)
    """
private let writeThree = """
    for word in (b"a", b"b", b"c"):
        os.write(w, word)
    """

@Suite("Faults on real processes")
struct FaultTests {
    private func forbid(_ pattern: String) -> String { "expect: {forbid: {seen: \"\(pattern)\"}}" }

    @Test func withoutAFaultNothingHappens() throws {
        let (command, summary) = try Command.run(
            scenario: pair(parent: readAll, child: writeThree, faults: "", extra: forbid("got abc$")))
        #expect(summary.findings.map(\.signature) == ["seen"])
        #expect(command.status == 1)
    }

    @Test(arguments: [
        ("{errno: EIO, at: {roles: child, call: write, channel: data, nth: 2}}", "Errno 5"),
        ("{close: peer, at: {roles: child, call: write, channel: data, nth: 2}}", "Broken pipe"),
        ("{close: own, at: {roles: child, call: write, channel: data, nth: 2}}", "got a$"),
        ("{close: peer, at: {roles: parent, call: read, channel: data, nth: 1}}", "got $"),
        ("{kill: KILL, at: {roles: child, call: write, channel: data, nth: 3}}", "child 9$"),
        ("{kill: USR1, at: {roles: child, call: write, channel: data, nth: 1}}", "child 10$"),
        ("{delay: 30ms, at: {roles: child, call: write, channel: data, nth: 1}}", "got abc$"),
        ("{stop: {for: 30ms}, at: {roles: child, call: write, channel: data, nth: 2}}", "got abc$"),
        ("{errno: EINTR, at: {roles: child, call: write, channel: data, times: 2}}", "got abc$"),
    ])
    func doesWhatItSays(fault: String, seen: String) throws {
        let (_, summary) = try Command.run(
            scenario: pair(parent: readAll, child: writeThree, faults: "faults: [\(fault)]", extra: forbid(seen)))
        #expect(summary.findings.map(\.signature).contains("seen"), "\(fault): \(summary)")
        #expect(summary.scenarios[0].faultsFired >= 1)
        #expect(summary.problems.isEmpty, "\(summary.problems)")
    }

    @Test func lineIsCaughtBeforeItIsOut() throws {
        let child = "print('about to', flush=True)\nprint('went on', flush=True)"
        let kill = "faults: [{kill: KILL, at: {roles: child, line: \"^about\"}}]"
        let (_, out) = try Command.run(
            scenario: pair(parent: readAll, child: child, faults: kill, extra: forbid("about to|went on")))
        #expect(out.verdict == .held, "\(out)")
        let other = "faults: [{kill: KILL, at: {roles: child, line: \"^went\"}}]"
        let (_, second) = try Command.run(
            scenario: pair(parent: readAll, child: child, faults: other, extra: forbid("about to")))
        #expect(second.findings.map(\.signature) == ["seen"])
    }

    @Test func aFaultThatNeverFiresIsInconclusive() throws {
        let fault = "faults: [{kill: KILL, at: {roles: child, call: write, channel: data, nth: 99}}]"
        let (command, summary) = try Command.run(scenario: pair(parent: readAll, child: writeThree, faults: fault))
        #expect(summary.verdict == .inconclusive)
        #expect(command.status == 3)
        #expect(summary.problems[0].text.contains("never fired"))
    }

    @Test func afterATime() throws {
        let child = "print('up', flush=True)\nsignal.pause()"
        let fault = "faults: [{kill: {roles: child}, after: 20ms, of: end}]"
        let text = pair(parent: readAll, child: child, faults: fault, extra: forbid("child 9$"))
            .replacingOccurrences(
                of: "  - wait: {exit", with: "  - wait: {log: \"^up$\", roles: child}\n  - wait: {exit")
        let (_, summary) = try Command.run(scenario: text)
        #expect(summary.findings.map(\.signature) == ["seen"], "\(summary)")
    }
}
