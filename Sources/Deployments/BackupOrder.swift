import Crypto
import Foundation
import Glibc
import Platform

/// Which backup came before which. A name says when the clock said that it was made, and a clock can be put back: so each backup has
/// a number, one more than the highest that was there. Those made before there were numbers come first, by their names.
struct BackupOrder {
    /// The names, the oldest first.
    let names: [String]
    /// The number that the next backup gets.
    let next: Int

    /// - Parameter place: the directory of a backup of this name.
    init(_ given: [String], place: (String) -> String) {
        var numbers: [String: Int] = [:]
        // Nobody knows the number of one that is damaged: it stays behind all those that its name follows.
        var highest = 0
        for name in given.sorted() {
            let number = Self.number(place(name)) ?? highest
            highest = max(highest, number)
            numbers[name] = number
        }
        names = given.sorted { (numbers[$0] ?? 0, $0) < (numbers[$1] ?? 0, $1) }
        next = (numbers.values.max() ?? 0) + 1
    }

    /// The number of a backup, 0 where it has none; nil when its manifest is not what was written.
    private static func number(_ directory: String) -> Int? {
        func text(_ name: String) -> [UInt8]? {
            guard let file = try? Files.open("\(directory)/\(name)", flags: O_RDONLY | O_NOFOLLOW) else { return nil }
            return try? file.readAll(limit: 1 << 28)
        }
        guard let manifest = text("manifest.json"), let sum = text("manifest.sha256"),
            String(decoding: sum, as: UTF8.self) == BackupStore.sum(manifest)
        else { return nil }
        return number(in: Data(manifest))
    }

    /// Reading the whole manifest for one number takes long where there are many entries. A line that begins like this is the number:
    /// in a text of JSON no line ends, and entries are indented further.
    static func number(in manifest: Data) -> Int {
        guard let found = manifest.range(of: Data("\n  \"sequence\" : ".utf8), options: .backwards) else { return 0 }
        let digits = manifest[found.upperBound...].prefix(18).prefix { (0x30...0x39).contains($0) }
        return Int(String(decoding: digits, as: UTF8.self)) ?? 0
    }

    /// Those that are older than a time, given as a name. A name can be later than the clock, or earlier than the time at which its
    /// backup was made: so none is older than one that came before it, nor younger than one that came after it.
    func before(_ oldest: String, now: String) -> [String] {
        var times: [String?] = []
        var latest: String?
        for name in names {
            if name <= now { latest = max(latest ?? name, name) }
            times.append(latest)
        }
        // What no earlier name tells the next later one does; where none does, nothing is known.
        let first = times.lazy.compactMap { $0 }.first
        return zip(names, times).compactMap { name, time in
            guard let time = time ?? first else { return nil }
            return time < oldest ? name : nil
        }
    }
}
