/// A regular expression as it is matched here: the syntax of `grep -E`, with `\d`, `\w`, `\s`, `\b` and groups that capture
/// nothing. What no automaton can do (references back, looking around) is refused when the expression is read, so that
/// matching takes time in proportion to the text, whatever the text is.
package struct Pattern: Sendable {
    /// One step of the automaton.
    enum Instruction: Sendable {
        /// A byte within these bounds.
        case bytes(UInt8, UInt8)
        /// Goes on at both.
        case split(Int, Int)
        case jump(Int)
        case assert(Assertion)
        case match
    }

    /// What must hold between two bytes.
    enum Assertion: Sendable { case begin, end, wordBorder, noWordBorder }

    /// Why an expression cannot be used.
    package struct Fault: Error { package let reason: String }

    /// Steps an expression may have when its counts are written out.
    static let most = 10_000
    private(set) var program: [Instruction] = []

    /// Reads an expression.
    package init(_ text: String) throws(Fault) {
        var reader = PatternReader(text)
        let node = try reader.whole()
        try add(node)
        program.append(.match)
    }

    private mutating func add(_ node: PatternNode) throws(Fault) {
        guard program.count < Self.most else {
            throw Fault(reason: "it is too large when its counts are written out: at most \(Self.most) steps")
        }
        switch node {
        case .empty: break
        case .set(let ranges): addSet(ranges)
        case .assert(let what): program.append(.assert(what))
        case .sequence(let nodes): for node in nodes { try add(node) }
        case .choice(let nodes):
            var ends: [Int] = []
            for (index, node) in nodes.enumerated() {
                let isLast = index == nodes.count - 1
                let split = program.count
                if !isLast { program.append(.split(split + 1, 0)) }
                try add(node)
                guard !isLast else { break }
                ends.append(program.count)
                program.append(.jump(0))
                program[split] = .split(split + 1, program.count)
            }
            for end in ends { program[end] = .jump(program.count) }
        case .times(let node, let least, let most): try add(node, least, most)
        }
    }

    private mutating func add(_ node: PatternNode, _ least: Int, _ most: Int?) throws(Fault) {
        for _ in 0..<least {
            let before = program.count
            try add(node)
            // Nothing, however often, is nothing.
            if program.count == before { return }
        }
        guard let most else {
            let split = program.count
            program.append(.split(split + 1, 0))
            try add(node)
            program.append(.jump(split))
            program[split] = .split(split + 1, program.count)
            return
        }
        var splits: [Int] = []
        for _ in least..<max(least, most) {
            splits.append(program.count)
            program.append(.split(program.count + 1, 0))
            try add(node)
        }
        for split in splits { program[split] = .split(split + 1, program.count) }
    }

    /// Any one of some characters, as the bytes of UTF-8 that stand for it.
    private mutating func addSet(_ ranges: [ClosedRange<UInt32>]) {
        let choices = ranges.flatMap { Self.encoded($0.lowerBound, $0.upperBound) }
        guard !choices.isEmpty else {
            // Nothing fits: no byte of UTF-8 is 0xFF.
            program.append(.bytes(0xFF, 0xFF))
            return
        }
        var ends: [Int] = []
        for (index, choice) in choices.enumerated() {
            let isLast = index == choices.count - 1
            let split = program.count
            if !isLast { program.append(.split(split + 1, split + choice.count + 2)) }
            for range in choice { program.append(.bytes(range.lowerBound, range.upperBound)) }
            if !isLast {
                ends.append(program.count)
                program.append(.jump(0))
            }
        }
        for end in ends { program[end] = .jump(program.count) }
    }

    /// The sequences of bytes that a range of characters has in UTF-8: split until every byte is free within its bounds.
    static func encoded(_ low: UInt32, _ high: UInt32) -> [[ClosedRange<UInt8>]] {
        guard low <= high else { return [] }
        for bound: UInt32 in [0x7F, 0x7FF, 0xD7FF, 0xDFFF, 0xFFFF] where low <= bound && high > bound {
            return encoded(low, bound) + encoded(bound + 1, high)
        }
        // Half of a pair stands for no character.
        if (0xD800...0xDFFF).contains(low) { return [] }
        let count = low <= 0x7F ? 1 : low <= 0x7FF ? 2 : low <= 0xFFFF ? 3 : 4
        for place in 1..<max(1, count) {
            let mask: UInt32 = (1 << (6 * UInt32(place))) - 1
            guard low & ~mask != high & ~mask else { continue }
            if low & mask != 0 { return encoded(low, low | mask) + encoded((low | mask) + 1, high) }
            if high & mask != mask { return encoded(low, (high & ~mask) - 1) + encoded(high & ~mask, high) }
        }
        return [zip(bytes(low, count), bytes(high, count)).map { $0...$1 }]
    }

    private static func bytes(_ scalar: UInt32, _ count: Int) -> [UInt8] {
        guard count > 1 else { return [UInt8(scalar)] }
        let lead: [UInt32] = [0, 0, 0xC0, 0xE0, 0xF0]
        return (0..<count).map { index in
            let rest = scalar >> (6 * UInt32(count - 1 - index))
            return UInt8(index == 0 ? lead[count] | rest : 0x80 | (rest & 0x3F))
        }
    }
}

/// What an expression is made of.
indirect enum PatternNode {
    case empty
    /// One character out of these ranges.
    case set([ClosedRange<UInt32>])
    case assert(Pattern.Assertion)
    case sequence([PatternNode])
    case choice([PatternNode])
    case times(PatternNode, Int, Int?)
}
