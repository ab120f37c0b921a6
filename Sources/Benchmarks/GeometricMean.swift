import Foundation

/// The geometric mean, the one for quotients: that of a quotient and its inverse is one. Nil for none, and where one is not
/// above zero.
func geometricMean(_ values: [Double]) -> Double? {
    guard !values.isEmpty, values.allSatisfy({ $0 > 0 }) else { return nil }
    return exp(values.map(log).reduce(0, +) / Double(values.count))
}
