/// Says whether lines match a pattern. It makes the pattern's automaton deterministic as far as the lines need it, so a byte that
/// was met before in the same state costs one look into a table.
package final class PatternMatcher {
    /// Where it stands between two bytes: the steps that may come next, and what the byte before was.
    private struct State: Hashable {
        var steps: [Int32]
        var before: Before
    }
    private enum Before: Hashable { case nothing, word, other }

    private static let unknown: Int32 = -1
    private static let matched: Int32 = -2
    private static let symbols = 257
    /// What stands for the end of a line.
    private static let end = 256
    /// States that are remembered; when there are more all are forgotten, which costs time and no memory.
    private static let most = 512

    private let program: [Pattern.Instruction]
    private var states: [State] = []
    private var numbers: [State: Int32] = [:]
    private var table: [Int32] = []
    /// When a step was last visited: kept here, so that no state needs a list of its own.
    private var visits: [UInt64]
    private var round: UInt64 = 0

    package init(_ pattern: Pattern) {
        program = pattern.program
        visits = Array(repeating: 0, count: pattern.program.count)
    }

    /// Whether the pattern matches anywhere in a line.
    package func matches(_ line: String) -> Bool {
        var line = line
        return line.withUTF8 { matches($0) }
    }

    private func matches(_ line: UnsafeBufferPointer<UInt8>) -> Bool {
        var state = number(of: State(steps: [0], before: .nothing))
        for byte in line {
            var next = table[Int(state) * Self.symbols + Int(byte)]
            if next == Self.unknown { next = step(state, Int(byte)) }
            if next == Self.matched { return true }
            state = next
        }
        return step(state, Self.end) == Self.matched
    }

    private func number(of state: State) -> Int32 {
        if let known = numbers[state] { return known }
        if states.count == Self.most {
            states = []
            numbers = [:]
            table = []
        }
        let number = Int32(states.count)
        states.append(state)
        numbers[state] = number
        table += repeatElement(Self.unknown, count: Self.symbols)
        return number
    }

    /// The state after one more byte, or that it matches already before it.
    private func step(_ from: Int32, _ symbol: Int) -> Int32 {
        let state = states[Int(from)]
        var found: [Int32] = []
        var isMatch = false
        let isWord = Self.isWord(symbol)
        round += 1
        var open = state.steps.reversed().map(Int.init)
        while let place = open.popLast(), !isMatch {
            guard visits[place] != round else { continue }
            visits[place] = round
            switch program[place] {
            case .bytes(let low, let high): if symbol >= low, symbol <= high { found.append(Int32(place + 1)) }
            case .split(let one, let other): open += [other, one]
            case .jump(let to): open.append(to)
            case .assert(let what):
                let holds =
                    switch what {
                    case .begin: state.before == .nothing
                    case .end: symbol == Self.end
                    case .wordBorder: (state.before == .word) != isWord
                    case .noWordBorder: (state.before == .word) == isWord
                    }
                if holds { open.append(place + 1) }
            case .match: isMatch = true
            }
        }
        var result = Self.matched
        if !isMatch {
            guard symbol != Self.end else { return Self.unknown }
            // A match may begin at every byte.
            let count = states.count
            result = number(of: State(steps: [0] + Set(found).sorted(), before: isWord ? .word : .other))
            // Where all were forgotten, this state's row is gone too.
            if states.count < count { return result }
        }
        table[Int(from) * Self.symbols + symbol] = result
        return result
    }

    private static func isWord(_ symbol: Int) -> Bool {
        (48...57).contains(symbol) || (65...90).contains(symbol) || symbol == 95 || (97...122).contains(symbol)
    }
}
