import Testing

import Deployments

/// The patterns of error lines: what they match, and that no text makes them slow.
@Suite("Patterns of lines")
struct PatternTests {
    private static func matches(_ pattern: String, _ line: String) throws -> Bool {
        let matcher = PatternMatcher(try Pattern(pattern))
        return matcher.matches(line)
    }

    @Test(arguments: [
        ("Queue is closed|ClosedResourceError", "the Queue is closed", "the Queue is open"),
        ("Runner.*exit.*code.*1", "Runner 3: exit, code 11", "Runner exit code 2"),
        ("^a$", "a", "ab"), ("(^| )no( |$)", "yes no", "note"), ("a{2,3}b", "xaaab", "ab"), ("^(ab){2}$", "abab", "ab"),
        ("^a{0,2}$", "", "aaa"), ("x(a|b)*y", "xababy", "xacy"), ("^(a*)*b", "aaab", "ac"), ("[^a-c]", "abcd", "abc"),
        ("^[]x-]+$", "]-x", "a"), ("[[:digit:]]{3}", "a123", "a12"), (#"\d+\s\w"#, "12 x", "12-x"),
        (#"\bcode\b"#, "a code.", "decode"), (#"\Bend"#, "bend", "end"), ("(?i)error", "an ERRor", "err"),
        ("(?:a|b)c", "bc", "AC"), ("^.$", "ä", "ab"), ("^[à-ü]$", "é", "e"), ("^[^ä]$", "é", "ä"),
        ("^..$", "😀a", "😀"), (#"1\.0 \(x\)"#, "1.0 (x)", "1.0 x"),
    ])
    func whatMatchesAndWhatDoesNot(pattern: String, one: String, other: String) throws {
        #expect(try Self.matches(pattern, one), "\(pattern) on \(one)")
        #expect(try !Self.matches(pattern, other), "\(pattern) on \(other)")
    }

    /// One matcher serves many lines, as each of its own would.
    @Test func linesAreMatchedApart() throws {
        let matcher = PatternMatcher(try Pattern("^(x|y.*z)$"))
        #expect(
            ["x", "y", "yz", "xz", "y z", ""].map { matcher.matches($0) } == [true, false, true, false, true, false])
    }

    /// What needs more states than are remembered is matched nevertheless.
    @Test func statesAreForgotten() throws {
        let pattern = "(a|b)*a(a|b){14}c"
        let matcher = PatternMatcher(try Pattern(pattern))
        var (text, seed) = ("", UInt32(7))
        for _ in 0..<20_000 {
            seed = seed &* 1_664_525 &+ 1_013_904_223
            text += seed >> 31 == 0 ? "a" : "b"
        }
        #expect(!matcher.matches(text))
        #expect(matcher.matches(text + "a" + String(repeating: "b", count: 14) + "c"))
        #expect(!matcher.matches(text + "b" + String(repeating: "b", count: 14) + "c"))
    }

    /// Each of these takes longer than anybody waits where a matcher tries one way after another.
    @Test(arguments: [
        ("Runner.*exit.*code.*1", String(repeating: "Runner exit code ", count: 60_000)),
        ("(a*)*b", String(repeating: "a", count: 1_000_000)), ("(a|a)*b", String(repeating: "a", count: 1_000_000)),
        ("(.*)(.*)(.*)(.*)(.*)x", String(repeating: "y", count: 1_000_000)),
        ("a.{200}b", String(repeating: "a", count: 20_000)),
    ])
    func noTextMakesItSlow(pattern: String, text: String) throws { #expect(try !Self.matches(pattern, text)) }

    @Test(arguments: [
        ("(", "is not closed"), (")", "closes nothing"), ("[a", "is not closed"), ("*a", "counts nothing"),
        ("a**", "follows a count"), ("a{2", "is no count"), ("a{3,2}", "is no count"), ("a{1001}", "is no count"),
        (#"(a)\1"#, "refers back"), ("(?=a)", "is not understood"), ("(?<!a)b", "is not understood"),
        (#"\p{L}"#, "is not understood"), ("a\\", "ends with a backslash"), ("[b-a]", "from the lower"),
        ("[[:letters:]]", "begins no class"), ("((((a{99}){99}){99}){99}){99}", "too large"),
        (String(repeating: "(", count: 1000), "within each other"), (".{1000}.{1000}", "too large"),
    ])
    func whatCannotBeUsedIsRefused(pattern: String, says: String) {
        let fault = #expect(throws: Pattern.Fault.self) { try Pattern(pattern) }
        #expect(fault?.reason.contains(says) ?? false, "\(fault?.reason ?? "")")
    }

    /// Counts of nothing, within each other, are nothing.
    @Test func countsOfNothing() throws { #expect(try Self.matches("((((){1000}){1000}){1000}){1000}", "x")) }

    /// Expressions and lines put together by chance match as the language's own matcher says, which tries one way after another.
    @Test func whatIsMatchedIsWhatOthersMatch() throws {
        var seed: UInt64 = 42
        func pick(_ count: Int) -> Int {
            seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(seed >> 33) % count
        }
        func expression(_ depth: Int) -> String {
            switch pick(depth > 0 ? 10 : 5) {
            case 0: return "a"
            case 1: return "b"
            case 2: return ["[ab]", "[^a]", "\\w", "\\s", "\\d", "ä", "[a-cä-ü]"][pick(7)]
            case 3: return "."
            case 4: return ["^", "$", ""][pick(3)]
            case 5, 6: return expression(depth - 1) + expression(depth - 1)
            case 7: return "(\(expression(depth - 1))|\(expression(depth - 1)))"
            default: return "(?:a\(expression(depth - 1)))" + ["*", "+", "?", "{2}", "{1,2}", "{0,}"][pick(6)]
            }
        }
        var matched = 0
        for _ in 0..<400 {
            let text = expression(3)
            let other = try Regex(text).matchingSemantics(.unicodeScalar)
                .asciiOnlyCharacterClasses()
            let matcher = PatternMatcher(try Pattern(text))
            for _ in 0..<6 {
                let line = (0..<pick(7)).map { _ in ["a", "b", "c", " ", "1", "ä", "é"][pick(7)] }.joined()
                let expected = line.contains(other)
                #expect(matcher.matches(line) == expected, "'\(text)' on '\(line)'")
                if expected { matched += 1 }
            }
        }
        // Both outcomes came up often.
        #expect((400...2000).contains(matched))
    }
}
