import Foundation

/// What a number of trials says about a rate.
public enum Statistics {
    /// The exact one-sided upper confidence bound of Clopper and Pearson ("The use of confidence or fiducial limits
    /// illustrated in the case of the binomial", Biometrika 1934) on the rate of failures: 299 trials without one give
    /// less than 1 % at 95 %.
    /// - Returns: nil when there were no trials.
    public static func upperBound(failures: Int, trials: Int, confidence: Double = 0.95) -> Double? {
        guard trials > 0 else { return nil }
        guard failures < trials else { return 1 }
        var low = 0.0
        var high = 1.0
        // The rate at which so few failures would be seen with probability 1 - confidence; 60 halvings are exact.
        for _ in 0..<60 {
            let middle = (low + high) / 2
            if cumulative(failures, trials, middle) > 1 - confidence { low = middle } else { high = middle }
        }
        return high
    }

    /// The probability of at most `failures` in `trials`.
    private static func cumulative(_ failures: Int, _ trials: Int, _ rate: Double) -> Double {
        guard rate > 0, rate < 1 else { return rate <= 0 ? 1 : 0 }
        return (0...failures).reduce(0) { sum, k in
            let choose = lgamma(Double(trials + 1)) - lgamma(Double(k + 1)) - lgamma(Double(trials - k + 1))
            return sum + exp(choose + Double(k) * log(rate) + Double(trials - k) * log1p(-rate))
        }
    }
}
