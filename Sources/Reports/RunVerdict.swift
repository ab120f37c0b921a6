public import Checkers

/// The one rule by which a run's verdict follows from its numbers: commands, reports and `fracas check` all ask here.
extension RunSummary {
    /// Sets the verdict to what the rest of the summary amounts to.
    ///
    /// Violated beats inconclusive beats held. A run in which nothing held is never held, whatever the reason; nor is one that was
    /// interrupted. An exploration does not count the trials that did not come to their place, for its places are guesses.
    public mutating func decide() {
        let excused = kind == .explore ? missed ?? 0 : 0
        let others = (parts ?? []).map(\.verdict)
        if violated > 0 || others.contains(.violated) {
            verdict = .violated
        } else if held == 0 || inconclusive > excused || interrupted || others.contains(.inconclusive) {
            verdict = .inconclusive
        } else {
            verdict = .held
        }
    }

    /// Adds something that the verdict rests on besides, in place of what has the same name and text, and decides anew.
    public mutating func add(_ part: RunPart) {
        parts = (parts ?? []).filter { $0.name != part.name || $0.text != part.text } + [part]
        decide()
    }

    /// The exit code that says it, of whatever command. An interruption goes before everything else.
    public var exitCode: Int32 { interrupted ? 130 : verdict.exitCode }
}

extension Verdict {
    /// The exit code that says it.
    public var exitCode: Int32 {
        switch self {
        case .held: 0
        case .violated: 1
        case .inconclusive: 3
        }
    }
}
