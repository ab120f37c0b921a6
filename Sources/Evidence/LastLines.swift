/// What a process printed last, as part of a sentence on its end.
public enum LastLines {
    private static let most = 5
    private static let longest = 300
    private static let lead = "; its last lines: "

    /// The sentence's end for lines in the order in which they were printed; empty where there were none.
    public static func text(_ lines: [String]) -> String {
        guard !lines.isEmpty else { return "" }
        return lead + lines.suffix(most).map { "\"\(plain($0))\"" }.joined(separator: ", ")
    }

    /// The last lines among a ledger's records that a process printed.
    public static func of(_ subject: Subject, in records: [Record]) -> [String] {
        var found: [String] = []
        for record in records.reversed() where found.count < most {
            guard case .line(let line) = record.event, line.subject.pid == subject.pid else { continue }
            found.append(line.text)
        }
        return found.reversed()
    }

    /// A sentence without that end: what two trials have in common that came to the same.
    public static func removed(from sentence: String) -> String {
        guard let range = sentence.firstRange(of: lead) else { return sentence }
        return String(sentence[..<range.lowerBound])
    }

    /// A line without control characters, cut.
    private static func plain(_ line: String) -> String {
        let cut = line.count > longest ? line.prefix(longest) + "…" : line[...]
        return cut.unicodeScalars.map { scalar in
            switch scalar.properties.generalCategory {
            case .control, .lineSeparator, .paragraphSeparator: "\\u{\(String(scalar.value, radix: 16))}"
            default: scalar == "\"" || scalar == "\\" ? "\\\(scalar)" : String(scalar)
            }
        }.joined()
    }
}
