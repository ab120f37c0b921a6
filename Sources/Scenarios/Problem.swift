/// Something wrong in a file somebody wrote: where, what, and what to do about it.
public struct Problem: Sendable, Equatable, CustomStringConvertible {
    /// The file.
    public var path: String
    /// The line, from 1; 0 when the whole file is meant.
    public var line: Int
    /// The column, from 1.
    public var column: Int
    /// What is wrong, and with which value.
    public var message: String

    /// Makes a problem.
    public init(path: String, line: Int, column: Int, message: String) {
        self.path = path
        self.line = line
        self.column = column
        self.message = message
    }

    /// `scenarios/x.yaml:12:5: unknown key 'delai' …`
    public var description: String { line > 0 ? "\(path):\(line):\(column): \(message)" : "\(path): \(message)" }
}

/// A scenario could not be loaded; all that is wrong with it at once.
public struct ScenarioError: Error, CustomStringConvertible, Sendable {
    /// The problems, in the order of the files; never empty.
    public let problems: [Problem]

    /// Makes an error.
    public init(_ problems: [Problem]) { self.problems = problems }

    /// One problem a line.
    public var description: String { problems.map(\.description).joined(separator: "\n") }
}

/// Finds the word that was probably meant.
enum Suggestion {
    /// `; did you mean 'x'?`, or the words there are when none is near and they are few.
    static func text(for word: String, among words: some Sequence<String>) -> String {
        let candidates = words.sorted()
        let near = near(word, among: candidates)
        if !near.isEmpty { return near }
        guard !candidates.isEmpty, candidates.count <= 24 else { return "" }
        return "; it may be \(candidates.map { "'\($0)'" }.joined(separator: ", "))"
    }

    /// `; did you mean 'x'?`; nothing when none is near.
    static func near(_ word: String, among words: some Sequence<String>) -> String {
        let nearest = words.sorted().map { ($0, distance(word.lowercased(), $0.lowercased())) }.min { $0.1 < $1.1 }
        if let nearest, nearest.1 <= max(2, word.count / 3) { return "; did you mean '\(nearest.0)'?" }
        return ""
    }

    /// Levenshtein's distance, of at most the first 40 characters.
    static func distance(_ left: String, _ right: String) -> Int {
        let a = Array(left.prefix(40))
        let b = Array(right.prefix(40))
        var row = Array(0...b.count)
        for i in a.indices {
            var diagonal = row[0]
            row[0] = i + 1
            for j in b.indices {
                let above = row[j + 1]
                row[j + 1] = min(above + 1, row[j] + 1, diagonal + (a[i] == b[j] ? 0 : 1))
                diagonal = above
            }
        }
        return row[b.count]
    }
}
