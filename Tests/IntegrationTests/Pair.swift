/// A parent that forks a child with a channel between them: the smallest topology with one.
struct Pair {
    /// The parent reads when the child has ended, so that which of them comes first is not left to chance.
    static let readAll = """
        print("child", os.waitpid(-1, 0)[1], flush=True)
        got = b""
        while chunk := os.read(r, 100):
            got += chunk
        print("got", got.decode(), flush=True)
        """
    /// The child writes three times a letter, and says what came of it.
    static let writeThree = """
        for word in (b"a", b"b", b"c"):
            try: print("wrote", os.write(w, word))
            except OSError as e: print("failed", e.errno)
        """
    /// One write of ten bytes.
    static let writeTen = "print(\"wrote\", os.write(w, b\"0123456789\"))"
    /// What parent and child share, and what each does with it first.
    static let pipe = (setup: "r, w = os.pipe()", inChild: "os.close(r)", inParent: "os.close(w)")
    static let unix = (setup: "a, b = socket.socketpair()", inChild: "a.close()", inParent: "b.close()")
    static let tcp = (
        setup:
            "s = socket.create_server((\"127.0.0.1\", 0)); a = socket.create_connection(s.getsockname()); b = s.accept()[0]",
        inChild: "a.close()", inParent: "b.close()"
    )

    /// The scenario's text. The child begins when the parent has closed its copies of the child's ends.
    static func scenario(
        parent: String = readAll, child: String = writeThree,
        over shared: (setup: String, inChild: String, inParent: String) = pipe,
        faults: String = "", extra: String = ""
    ) -> String {
        let program = """
            import os, signal, socket, sys, threading, time
            \(shared.setup)
            begun, begin = os.pipe()
            if os.fork() == 0:
                \(shared.inChild)
                os.close(begin); os.read(begun, 1)
            \(child.split(separator: "\n").map { "    " + $0 }.joined(separator: "\n"))
                os._exit(0)
            \(shared.inParent)
            os.close(begin)
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
                within: 20s
            \(faults.isEmpty ? "" : "faults: [\(faults)]")
            \(extra)
            """
    }

    /// What must be seen, as a forbidden text: a test looks for the finding.
    static func looksFor(_ pattern: String) -> String { "expect: {forbid: {seen: '\(pattern)'}}" }
}
