/// Reads a regular expression.
struct PatternReader {
    typealias Ranges = [ClosedRange<UInt32>]
    private typealias Fault = Pattern.Fault

    /// Groups within groups; more than a person writes.
    private static let deepest = 100
    private static let last: UInt32 = 0x10FFFF
    private static let digits: Ranges = [48...57]
    private static let word: Ranges = [48...57, 65...90, 95...95, 97...122]
    private static let space: Ranges = [9...13, 32...32]
    private static let named: [String: Ranges] = [
        "alpha": [65...90, 97...122], "digit": digits, "alnum": [48...57, 65...90, 97...122], "upper": [65...90],
        "lower": [97...122], "space": space, "blank": [9...9, 32...32],
        "punct": [33...47, 58...64, 91...96, 123...126],
        "xdigit": [48...57, 65...70, 97...102], "cntrl": [0...31, 127...127], "print": [32...126], "graph": [33...126],
    ]

    private let text: [Unicode.Scalar]
    private var place = 0
    private var depth = 0
    private var ignoresCase = false

    init(_ text: String) { self.text = Array(text.unicodeScalars) }

    private var next: Unicode.Scalar? { place < text.count ? text[place] : nil }

    private func isAhead(_ word: String) -> Bool { text[place...].starts(with: word.unicodeScalars) }

    private mutating func take(_ word: String) -> Bool {
        guard isAhead(word) else { return false }
        place += word.unicodeScalars.count
        return true
    }

    /// All of it.
    mutating func whole() throws(Pattern.Fault) -> PatternNode {
        if take("(?i)") { ignoresCase = true }
        let node = try choice()
        guard place == text.count else { throw Fault(reason: "a ')' closes nothing: write \\) for the character") }
        return node
    }

    private mutating func choice() throws(Pattern.Fault) -> PatternNode {
        var nodes = [try sequence()]
        while take("|") { nodes.append(try sequence()) }
        return nodes.count == 1 ? nodes[0] : .choice(nodes)
    }

    private mutating func sequence() throws(Pattern.Fault) -> PatternNode {
        var nodes: [PatternNode] = []
        while let scalar = next, scalar != "|", scalar != ")" { nodes.append(try counted(try atom())) }
        return nodes.count == 1 ? nodes[0] : nodes.isEmpty ? .empty : .sequence(nodes)
    }

    private mutating func counted(_ node: PatternNode) throws(Pattern.Fault) -> PatternNode {
        var bounds: (Int, Int?)
        switch next {
        case "*": bounds = (0, nil)
        case "+": bounds = (1, nil)
        case "?": bounds = (0, 1)
        case "{": bounds = try braces()
        default: return node
        }
        place += 1
        // Whether as few or as many as can be are taken makes no difference to whether it matches.
        _ = take("?")
        if let scalar = next, "*+?{".unicodeScalars.contains(scalar) {
            throw Fault(reason: "'\(scalar)' follows a count: put what is counted into ( )")
        }
        if case .assert = node { bounds = (min(bounds.0, 1), 1) }
        return .times(node, bounds.0, bounds.1)
    }

    /// `{2}`, `{2,}` or `{2,5}`; stands on its last character afterwards.
    private mutating func braces() throws(Pattern.Fault) -> (Int, Int?) {
        let fault = Fault(
            reason: "a '{' is no count as {2}, {2,} or {2,5} of at most 1000: write \\{ for the character")
        guard let end = text[place...].firstIndex(of: "}") else { throw fault }
        let inner = String(String.UnicodeScalarView(text[(place + 1)..<end]))
        let parts = inner.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
        place = end
        guard (1...2).contains(parts.count), let least = parts[0], (0...1000).contains(least) else { throw fault }
        if parts.count == 1 { return (least, least) }
        if inner.hasSuffix(",") { return (least, nil) }
        guard let most = parts[1], (least...1000).contains(most) else { throw fault }
        return (least, most)
    }

    private mutating func atom() throws(Pattern.Fault) -> PatternNode {
        guard let scalar = next else { return .empty }
        place += 1
        switch scalar {
        case "(": return try group()
        case "[": return .set(try bracket())
        case ".": return .set(Self.inverted([10...10]))
        case "^": return .assert(.begin)
        case "$": return .assert(.end)
        case "*", "+", "?", "{":
            throw Fault(reason: "'\(scalar)' counts nothing: write \\\(scalar) for the character")
        case "\\":
            if take("b") { return .assert(.wordBorder) }
            if take("B") { return .assert(.noWordBorder) }
            return .set(folded(try escape()))
        default: return .set(folded([scalar.value...scalar.value]))
        }
    }

    private mutating func group() throws(Pattern.Fault) -> PatternNode {
        if next == "?", !take("?:") {
            throw Fault(reason: "'(?' is not understood here: only (?:…), and (?i) at the very beginning")
        }
        depth += 1
        guard depth <= Self.deepest else {
            throw Fault(reason: "more than \(Self.deepest) groups are within each other")
        }
        let node = try choice()
        guard take(")") else { throw Fault(reason: "a '(' is not closed: write \\( for the character") }
        depth -= 1
        return node
    }

    /// What stands after a backslash.
    private mutating func escape() throws(Pattern.Fault) -> Ranges {
        guard let scalar = next else { throw Fault(reason: "it ends with a backslash: write \\\\ for the character") }
        place += 1
        switch scalar {
        case "d": return Self.digits
        case "D": return Self.inverted(Self.digits)
        case "w": return Self.word
        case "W": return Self.inverted(Self.word)
        case "s": return Self.space
        case "S": return Self.inverted(Self.space)
        case "t": return [9...9]
        case "n": return [10...10]
        case "r": return [13...13]
        case "0"..."9":
            throw Fault(reason: "'\\\(scalar)' refers back to a group, which cannot be matched in bounded time")
        case "a"..."z", "A"..."Z":
            throw Fault(reason: "'\\\(scalar)' is not understood here: \\d \\w \\s \\b, their opposites, \\t \\n \\r")
        default: return [scalar.value...scalar.value]
        }
    }

    private mutating func bracket() throws(Pattern.Fault) -> Ranges {
        let fault = Fault(reason: "a '[' is not closed: write \\[ for the character")
        let isNot = take("^")
        var found: Ranges = []
        var isFirst = true
        while isFirst || next != "]" {
            isFirst = false
            if take("[:") {
                guard let name = Self.named.keys.first(where: { isAhead("\($0):]") }), let ranges = Self.named[name]
                else { throw Fault(reason: "'[:' begins no class as [:alpha:]") }
                _ = take("\(name):]")
                found += ranges
                continue
            }
            guard let low = try member() else { throw fault }
            // A '-' at the end stands for itself.
            guard next == "-", place + 1 < text.count, text[place + 1] != "]" else {
                found += low
                continue
            }
            place += 1
            guard let high = try member() else { throw fault }
            guard low.count == 1, high.count == 1, low[0].count == 1, high[0].count == 1,
                low[0].lowerBound <= high[0].lowerBound
            else { throw Fault(reason: "a range within [ ] goes from the lower to the higher character") }
            found.append(low[0].lowerBound...high[0].lowerBound)
        }
        guard take("]") else { throw fault }
        return isNot ? Self.inverted(folded(found) + [10...10]) : folded(found)
    }

    private mutating func member() throws(Pattern.Fault) -> Ranges? {
        guard let scalar = next else { return nil }
        place += 1
        return scalar == "\\" ? try escape() : [scalar.value...scalar.value]
    }

    /// With the other case of Latin letters, where that is asked for.
    private func folded(_ ranges: Ranges) -> Ranges {
        guard ignoresCase else { return ranges }
        return ranges
            + ranges.flatMap { range in
                [(UInt32(65), UInt32(90), Int64(32)), (97, 122, -32)].compactMap { low, high, step in
                    let (from, to) = (max(range.lowerBound, low), min(range.upperBound, high))
                    return from <= to ? UInt32(Int64(from) + step)...UInt32(Int64(to) + step) : nil
                }
            }
    }

    private static func inverted(_ ranges: Ranges) -> Ranges {
        var found: Ranges = []
        var begin: UInt32 = 0
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if range.lowerBound > begin { found.append(begin...(range.lowerBound - 1)) }
            begin = max(begin, range.upperBound + 1)
        }
        if begin <= last { found.append(begin...last) }
        return found
    }
}
