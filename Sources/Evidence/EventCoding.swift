/// The written form of an event: an object with one member, named as the event and holding its fields, without the wrapper
/// that the compiler's own coding would put around them.
extension Event {
    private enum Name: String, CodingKey {
        case trial
        case step
        case process
        case exit
        case line
        case mark
        case point
        case fault
        case signal
        case hang
        case stuck
        case holdings
        case tally
        case unseen
        case brokenCalls = "broken-calls"
        case census
        case lost
        case trouble
        case disturbed
        case end
        case autopsy
    }

    /// Reads an event.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Name.self)
        guard let key = container.allKeys.first, container.allKeys.count == 1 else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "an event must have exactly one known name"))
        }
        switch key {
        case .trial: self = .trial(try container.decode(Header.self, forKey: key))
        case .step: self = .step(try container.decode(StepChange.self, forKey: key))
        case .process: self = .process(try container.decode(Birth.self, forKey: key))
        case .exit: self = .exit(try container.decode(Exit.self, forKey: key))
        case .line: self = .line(try container.decode(Line.self, forKey: key))
        case .mark: self = .mark(try container.decode(Mark.self, forKey: key))
        case .point: self = .point(try container.decode(Reached.self, forKey: key))
        case .fault: self = .fault(try container.decode(Injection.self, forKey: key))
        case .signal: self = .signal(try container.decode(SignalSent.self, forKey: key))
        case .hang: self = .hang(try container.decode(Hang.self, forKey: key))
        case .stuck: self = .stuck(try container.decode(StuckThread.self, forKey: key))
        case .holdings: self = .holdings(try container.decode(Holdings.self, forKey: key))
        case .tally: self = .tally(try container.decode(Tally.self, forKey: key))
        case .unseen: self = .unseen(try container.decode(Unseen.self, forKey: key))
        case .brokenCalls: self = .brokenCalls(try container.decode(BrokenCalls.self, forKey: key))
        case .census: self = .census(try container.decode(Census.self, forKey: key))
        case .lost: self = .lost(try container.decode(Loss.self, forKey: key))
        case .trouble: self = .trouble(try container.decode(Trouble.self, forKey: key))
        case .disturbed: self = .disturbed(try container.decode(Disturbance.self, forKey: key))
        case .end: self = .end(try container.decode(End.self, forKey: key))
        case .autopsy: self = .autopsy
        }
    }

    /// Writes an event.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Name.self)
        switch self {
        case .trial(let value): try container.encode(value, forKey: .trial)
        case .step(let value): try container.encode(value, forKey: .step)
        case .process(let value): try container.encode(value, forKey: .process)
        case .exit(let value): try container.encode(value, forKey: .exit)
        case .line(let value): try container.encode(value, forKey: .line)
        case .mark(let value): try container.encode(value, forKey: .mark)
        case .point(let value): try container.encode(value, forKey: .point)
        case .fault(let value): try container.encode(value, forKey: .fault)
        case .signal(let value): try container.encode(value, forKey: .signal)
        case .hang(let value): try container.encode(value, forKey: .hang)
        case .stuck(let value): try container.encode(value, forKey: .stuck)
        case .holdings(let value): try container.encode(value, forKey: .holdings)
        case .tally(let value): try container.encode(value, forKey: .tally)
        case .unseen(let value): try container.encode(value, forKey: .unseen)
        case .brokenCalls(let value): try container.encode(value, forKey: .brokenCalls)
        case .census(let value): try container.encode(value, forKey: .census)
        case .lost(let value): try container.encode(value, forKey: .lost)
        case .trouble(let value): try container.encode(value, forKey: .trouble)
        case .disturbed(let value): try container.encode(value, forKey: .disturbed)
        case .end(let value): try container.encode(value, forKey: .end)
        case .autopsy: try container.encode(true, forKey: .autopsy)
        }
    }
}
