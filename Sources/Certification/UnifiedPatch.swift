import Foundation

/// A unified diff, applied strictly: every line of context must be where the diff says, and nothing is guessed.
///
/// patch(1) would do it too, but goes on with an offset where a control no longer fits its release; here that is an error.
struct UnifiedPatch {
    /// What it does to one file.
    struct FileChange {
        /// The path in the tree.
        let path: String
        /// Whether the file is new: a tool writes that as a hunk of an empty file, whatever it calls the file.
        fileprivate(set) var isNew: Bool
        fileprivate var hunks: [Hunk] = []
    }

    fileprivate struct Hunk {
        /// The line of the old file it begins at, from 1; 0 for an empty one.
        let start: Int
        /// The line of the diff, for messages.
        let line: Int
        var lines: [(mark: Character, text: String)] = []
    }

    /// The files it changes, in its order.
    let changes: [FileChange]
    private let source: String

    /// Reads a diff.
    /// - Parameter source: the file it comes from, for messages.
    /// - Throws: `CertificationError` with file and line.
    init(_ text: String, source: String) throws(CertificationError) {
        self.source = source
        var changes: [FileChange] = []
        var old: String?
        var left = (old: 0, new: 0)
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            func fail(_ what: String) -> CertificationError { CertificationError("\(source):\(index + 1): \(what)") }
            let isInHunk = left.old > 0 || left.new > 0
            if isInHunk {
                let mark = line.first ?? " "
                guard [" ", "-", "+"].contains(mark) else {
                    throw fail("a line of a hunk begins with ' ', '-' or '+'")
                }
                if mark != "+" { left.old -= 1 }
                if mark != "-" { left.new -= 1 }
                guard left.old >= 0, left.new >= 0, var change = changes.popLast(), !change.hunks.isEmpty else {
                    throw fail("the hunk has more lines than its head says")
                }
                change.hunks[change.hunks.count - 1].lines.append((mark, String(line.dropFirst())))
                changes.append(change)
            } else if line.hasPrefix("--- ") {
                old = Self.path(line)
            } else if line.hasPrefix("+++ ") {
                let path = Self.path(line)
                let parts = path.split(separator: "/")
                guard path.hasPrefix("b/"), parts.count > 1, !parts.contains("..") else {
                    throw fail("'\(path)' is not b/ and a path in the tree")
                }
                changes.append(
                    FileChange(path: parts.dropFirst().joined(separator: "/"), isNew: old == "/dev/null"))
            } else if let head = line.firstMatch(of: /^@@ -(\d+)(?:,(\d+))? \+\d+(?:,(\d+))? @@/) {
                guard left.old == 0, left.new == 0 else {
                    throw CertificationError(
                        "\(source): the last hunk has fewer lines than its head says: is the file cut short?")
                }
                guard !changes.isEmpty else { throw fail("a hunk before the file it is of") }
                left = (Int(head.2 ?? "1") ?? 0, Int(head.3 ?? "1") ?? 0)
                if head.1 == "0", left.old == 0 { changes[changes.count - 1].isNew = true }
                changes[changes.count - 1].hunks.append(Hunk(start: Int(head.1) ?? 0, line: index + 1))
            }
        }
        guard !changes.isEmpty else { throw CertificationError("\(source): it changes no file: is it a unified diff?") }
        self.changes = changes
    }

    private static func path(_ line: Substring) -> String {
        String(line.dropFirst(4).prefix { $0 != "\t" }).trimmingCharacters(in: .whitespaces)
    }

    /// A file as it is afterwards.
    /// - Parameter text: the file as it is; empty for a new one.
    /// - Throws: `CertificationError` when it is not the file the diff was made for.
    func applied(_ change: FileChange, to text: String) throws(CertificationError) -> String {
        let old = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        var new: [String] = []
        var next = 0
        for hunk in change.hunks {
            let start = max(0, hunk.start - 1)
            guard start >= next, start <= old.count else {
                throw CertificationError("\(source):\(hunk.line): '\(change.path)' has no line \(hunk.start) there")
            }
            new += old[next..<start]
            next = start
            for (mark, text) in hunk.lines {
                if mark == "+" {
                    new.append(text)
                    continue
                }
                guard next < old.count, old[next] == text else {
                    let found = next < old.count ? "'\(old[next])'" : "the file's end"
                    throw CertificationError(
                        "\(source):\(hunk.line): line \(next + 1) of '\(change.path)' is \(found), not '\(text)': the control was made for another release; make its diff anew"
                    )
                }
                if mark == " " { new.append(text) }
                next += 1
            }
        }
        // A new file has no last, empty line to keep.
        if change.isNew { return new.joined(separator: "\n") + "\n" }
        return (new + old[next...]).joined(separator: "\n")
    }
}
