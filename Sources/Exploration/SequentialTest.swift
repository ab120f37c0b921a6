import Foundation

/// Tells from as few trials as possible whether something happens often: the sequential probability ratio test of Wald, "Sequential
/// tests of statistical hypotheses", Annals of Mathematical Statistics 1945.
public struct SequentialTest: Sendable, Equatable {
    /// The rate that is too low.
    public let low: Double
    /// The rate that is high enough.
    public let high: Double
    /// How many trials it may take; then the likelier of the two is taken.
    public let most: Int

    /// The probability of taking the one for the other.
    private static let error = 0.05
    private static let bound = log((1 - error) / error)

    /// A schedule that nearly always gives a failure, against one with which something else must come together.
    public static let usual = SequentialTest(low: 0.7, high: 0.97, most: 60)

    /// For a failure that the whole schedule gives only at this rate: what halves the rate has taken something needed away.
    public init(rate: Double) { self.init(low: min(0.95, rate) / 2, high: min(0.95, rate), most: 80) }

    private init(low: Double, high: Double, most: Int) {
        self.low = low
        self.high = high
        self.most = most
    }

    /// Whether the rate is high; nil when more trials must tell.
    public func decision(_ frequency: Frequency) -> Bool? {
        let failures = Double(frequency.trials - frequency.reproduced)
        let ratio = Double(frequency.reproduced) * log(high / low) + failures * log((1 - high) / (1 - low))
        if ratio >= Self.bound { return true }
        if ratio <= -Self.bound { return false }
        return frequency.trials >= most ? ratio > 0 : nil
    }
}

/// How often a failure came.
public struct Frequency: Codable, Sendable, Equatable, CustomStringConvertible {
    /// In how many trials.
    public var reproduced = 0
    /// Of how many; one that was inconclusive has not given it.
    public var trials = 0

    /// A frequency of nothing.
    public init() {}

    /// A frequency of trials.
    public init(reproduced: Int, of trials: Int) {
        self.reproduced = reproduced
        self.trials = trials
    }

    /// The part of the trials.
    public var rate: Double { trials > 0 ? Double(reproduced) / Double(trials) : 0 }

    /// `97 of 100`.
    public var description: String { "\(reproduced) of \(trials)" }
}

/// Something to find out about a scenario by running it.
public struct Question: Sendable {
    /// What is asked.
    public enum Kind: Sendable, Equatable {
        /// Whether it gives the failure often.
        case often(SequentialTest)
        /// Whether it gives the failure every time, of so many.
        case always(Int)
        /// How often it gives the failure, of so many.
        case rate(Int)
    }

    /// What is asked.
    public let kind: Kind
    /// What is tried, for people.
    public let text: String
    /// How many faults the smallest schedule so far has.
    public let faultsLeft: Int

    /// Makes a question.
    public init(kind: Kind, text: String, faultsLeft: Int) {
        self.kind = kind
        self.text = text
        self.faultsLeft = faultsLeft
    }

    /// The most trials that can be needed.
    public var most: Int {
        switch kind {
        case .often(let test): test.most
        case .always(let count), .rate(let count): count
        }
    }

    /// An answer without trials yet.
    public var unanswered: Answer { Answer(kind) }
}

/// What the trials of a question have told so far. Once it is told it stays so, whatever trials under way still bring.
public struct Answer: Sendable, Equatable {
    private let kind: Question.Kind
    /// How often the failure came.
    public private(set) var frequency = Frequency()
    /// Yes or no; nil when more trials must tell.
    public private(set) var decision: Bool?

    init(_ kind: Question.Kind) { self.kind = kind }

    /// Adds a trial.
    public mutating func add(reproduced: Bool) {
        frequency.trials += 1
        if reproduced { frequency.reproduced += 1 }
        guard decision == nil else { return }
        switch kind {
        case .often(let test): decision = test.decision(frequency)
        case .always(let count):
            decision = frequency.reproduced < frequency.trials ? false : frequency.trials >= count ? true : nil
        case .rate(let count): decision = frequency.trials >= count ? true : nil
        }
    }
}
