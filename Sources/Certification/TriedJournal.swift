import Foundation
import Glibc
import Platform
import Reports

/// What an exploration has tried, written down trial by trial: so that one that was ended, however that came about, can be gone on with.
final class TriedJournal {
    private static let name = "tried.jsonl"
    private let file: Descriptor?

    /// The journal of a run, to be added to.
    init(_ directory: RunDirectory?) {
        file = directory.flatMap {
            try? Files.open("\($0.path)/\(Self.name)", flags: O_WRONLY | O_CREAT | O_APPEND, mode: 0o666)
        }
    }

    /// Adds a trial. What cannot be written is tried again by whoever goes on.
    func add(_ tried: ExploreCampaign.Tried) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let file, let line = try? encoder.encode(tried) else { return }
        try? file.writeAll(Array(line) + [UInt8(ascii: "\n")])
    }

    /// Every trial that was written down, in the order in which they ended; none where there is no journal. A line that was cut short
    /// is left out.
    static func read(_ directory: String) -> [ExploreCampaign.Tried] {
        let data = FileManager.default.contents(atPath: "\(directory)/\(name)") ?? Data()
        return data.split(separator: UInt8(ascii: "\n")).compactMap {
            try? JSONDecoder().decode(ExploreCampaign.Tried.self, from: Data($0))
        }
    }
}
