import Foundation
import Glibc
import Platform

/// The files that the built-in supervisor lets services write their output to, one for each start.
struct ServiceLog {
    /// Bytes of them that are looked at, the last ones, of all files together.
    static let most = 16 << 20
    let directory: String

    /// The lines since a time, in seconds since 1970, the oldest first.
    ///
    /// A line counts by the time it begins with. One without has the time of the line above, as the lines of a traceback do; where
    /// there is none above, of the file's last change, for that nothing is missed.
    func lines(since time: Int64) throws -> [String] {
        var found: [[String]] = []
        var left = Self.most
        // The name has the time of the start, so later files come first. What we write down of our own doings is not among them.
        for name in try Files.entries(directory).reversed() where left > 0 {
            guard let start = Self.start(name) else { continue }
            let path = "\(directory)/\(name)"
            // A file that nobody wrote to since has nothing since.
            guard let status = try FileStatus(path), status.kind == .file, status.modified >= time else { continue }
            let file = try Files.open(path, flags: O_RDONLY | O_NOFOLLOW)
            // What is written meanwhile is for the next one who looks.
            let skipped = max(0, Int(status.size) - left)
            lseek(file.raw, skipped, SEEK_SET)
            var bytes = try file.readAll(limit: min(Int(status.size), left))[...]
            left -= bytes.count
            // The first one may be cut.
            if skipped > 0 { bytes = bytes.drop { $0 != 10 }.dropFirst() }
            found.append(Self.select(bytes, since: time, start: start))
        }
        return found.reversed().flatMap(\.self)
    }

    private static func select(_ bytes: ArraySlice<UInt8>, since time: Int64, start: Int64) -> [String] {
        var lines: [String] = []
        var last: Int64?
        for line in bytes.split(whereSeparator: { $0 == 10 || $0 == 13 }) {
            // A time before the service started is not that of the line but something it says.
            if let own = LineTime.of(line), own >= start { last = own }
            if last ?? .max >= time { lines.append(String(decoding: line, as: UTF8.self)) }
        }
        return lines
    }

    /// When a file's service was started, as its name says; nil when it is not the name of such a file.
    private static func start(_ name: String) -> Int64? {
        guard let match = name.wholeMatch(of: /service_(\d{4})(\d\d)(\d\d)_(\d\d)(\d\d)(\d\d)\.log/) else { return nil }
        let fields = [match.1, match.2, match.3, match.4, match.5, match.6].map { Int32($0) ?? 0 }
        return LineTime.seconds(fields, offset: 0)
    }
}

/// The time that a line of a log carries.
enum LineTime {
    /// How far from its begin it is looked for: a level or a name may stand before it, as in `ERROR:node:2026-01-02 03:04:05`.
    private static let reach = 48

    /// The first time of the form `2026-01-02T03:04:05` or with a blank for the T, in seconds since 1970; nil when the line's begin
    /// has none. Without `Z` or an offset behind it, it is this machine's local time.
    static func of(_ line: ArraySlice<UInt8>) -> Int64? {
        let text = Array(line.prefix(reach + 32))
        guard text.count >= 19 else { return nil }
        for begin in 0...min(reach, text.count - 19) where isTime(text, begin) {
            // Within a longer number it is none.
            if begin > 0, isDigit(text[begin - 1]) { continue }
            let fields = [(0, 4), (5, 2), (8, 2), (11, 2), (14, 2), (17, 2)].map { number(text, begin + $0.0, $0.1) }
            if let time = seconds(fields, offset: offset(text, begin + 19)) { return time }
        }
        return nil
    }

    /// - Parameter offset: seconds east of Greenwich; nil for local time.
    static func seconds(_ fields: [Int32], offset: Int64?) -> Int64? {
        guard (1...12).contains(fields[1]), (1...31).contains(fields[2]), fields[3] < 24, fields[4] < 60,
            fields[5] <= 60
        else { return nil }
        var parts = tm()
        parts.tm_year = fields[0] - 1900
        parts.tm_mon = fields[1] - 1
        parts.tm_mday = fields[2]
        (parts.tm_hour, parts.tm_min, parts.tm_sec) = (fields[3], fields[4], fields[5])
        parts.tm_isdst = -1
        if let offset { return Int64(timegm(&parts)) - offset }
        return Int64(mktime(&parts))
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (48...57).contains(byte) }

    private static func isTime(_ text: [UInt8], _ begin: Int) -> Bool {
        for (index, form) in "dddd-dd-ddTdd:dd:dd".utf8.enumerated() {
            let byte = text[begin + index]
            switch form {
            case UInt8(ascii: "d"): if !isDigit(byte) { return false }
            case UInt8(ascii: "T"): if byte != form, byte != UInt8(ascii: " ") { return false }
            default: if byte != form { return false }
            }
        }
        return true
    }

    private static func number(_ text: [UInt8], _ begin: Int, _ count: Int) -> Int32 {
        text[begin..<begin + count].reduce(0) { $0 * 10 + Int32($1 - 48) }
    }

    /// What stands behind a time: `Z`, `+02:00`, `+0200`, with a fraction of a second before it or not.
    private static func offset(_ text: [UInt8], _ begin: Int) -> Int64? {
        var place = begin
        if place < text.count, text[place] == UInt8(ascii: ".") || text[place] == UInt8(ascii: ",") {
            place += 1
            while place < text.count, isDigit(text[place]) { place += 1 }
        }
        guard place < text.count else { return nil }
        if text[place] == UInt8(ascii: "Z") { return 0 }
        let digits = text[(place + 1)...].prefix(6).filter { $0 != UInt8(ascii: ":") }.prefix { isDigit($0) }
        guard text[place] == UInt8(ascii: "+") || text[place] == UInt8(ascii: "-"), digits.count >= 4 else {
            return nil
        }
        let four = Array(digits)
        let east = Int64(number(four, 0, 2)) * 3600 + Int64(number(four, 2, 2)) * 60
        return text[place] == UInt8(ascii: "-") ? -east : east
    }
}
