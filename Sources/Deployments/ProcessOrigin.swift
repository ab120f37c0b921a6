import Foundation
import Glibc
import Platform

/// Where what a process runs comes from: the tree as it is, a directory that was replaced, or somewhere else.
package enum ProcessOrigin: Equatable {
    /// Its program, or a file it was started with, is in the tree.
    case tree(String)
    /// Nothing but its working directory is in the tree.
    case directory(String)
    /// Its program or working directory was in the tree and is not any more.
    case replaced(String)
    /// Nothing of it is in the tree.
    case elsewhere

    /// Looks at a process.
    static func of(_ pid: Int32, _ tree: DeploymentTree) -> ProcessOrigin {
        let words = (ProcFile.bytes("/proc/\(pid)/cmdline") ?? []).split(separator: 0).map {
            String(decoding: $0, as: UTF8.self)
        }
        let origin = judge(
            program: ProcFile.link("/proc/\(pid)/exe"), directory: ProcFile.link("/proc/\(pid)/cwd"), words: words,
            root: tree.root, kit: tree.directory, exists: { access($0, F_OK) == 0 })
        return origin
    }

    /// - Parameters:
    ///   - program: where `/proc/<pid>/exe` leads; nil when that may not be seen. Likewise `directory` for its `cwd`.
    ///   - kit: the tree's directory for deployments, which holds what was replaced, and no release.
    package static func judge(
        program: String?, directory: String?, words: [String], root: String, kit: String, exists: (String) -> Bool
    ) -> ProcessOrigin {
        func isBelow(_ path: String, _ top: String) -> Bool { path == top || path.hasPrefix(top + "/") }
        let gone = " (deleted)"
        for place in [program, directory].compactMap(\.self) where isBelow(place, root) {
            if place.hasSuffix(gone) || isBelow(place, "\(kit)/.staging") { return .replaced(place) }
        }
        func isLive(_ path: String) -> Bool { isBelow(path, root) && !isBelow(path, kit) }
        if let program, isLive(program) { return .tree(program) }
        for word in words where !word.isEmpty {
            // Also the value of an option, as in --config=/opt/app/app.toml.
            for text in [word, String(word[(word.firstIndex(of: "=") ?? word.startIndex)...].dropFirst())] {
                guard text.contains("/") || text.contains(".") else { continue }
                guard text.hasPrefix("/") || directory != nil else { continue }
                let whole = text.hasPrefix("/") ? text : "\(directory ?? "")/\(text)"
                let path = URL(fileURLWithPath: whole).standardizedFileURL.path
                if isLive(path), path != root, exists(path) { return .tree(path) }
            }
        }
        if let directory, isLive(directory) { return .directory(directory) }
        return .elsewhere
    }
}

extension Processes {
    /// What is known of a process beside its number.
    package struct Row {
        var parent: Int32
        var session: Int32
        var ticks: UInt64
        var hasEnded: Bool

        package init(parent: Int32, session: Int32, ticks: UInt64, hasEnded: Bool) {
            self.parent = parent
            self.session = session
            self.ticks = ticks
            self.hasEnded = hasEnded
        }
    }

    /// One process; nil when there is none of this number.
    static func row(_ pid: Int32) -> Row? {
        guard let fields = fields(of: pid), fields.count > 19, let parent = Int32(fields[1]),
            let session = Int32(fields[3]), let ticks = UInt64(fields[19])
        else { return nil }
        return Row(parent: parent, session: session, ticks: ticks, hasEnded: fields[0] == "Z" || fields[0] == "X")
    }

    /// Every process there is.
    static func table() -> [Int32: Row] {
        var table: [Int32: Row] = [:]
        for pid in ProcFile.numbers("/proc") { table[pid] = row(pid) }
        return table
    }

    /// The living ones that descend from some others, without those.
    package static func descendants(of roots: Set<Int32>, in table: [Int32: Row]) -> [Int32] {
        var verdicts: [Int32: Bool] = [0: false, 1: roots.contains(1)]
        func descends(_ pid: Int32) -> Bool {
            var path: [Int32] = []
            var next = pid
            var result = false
            while true {
                if let known = verdicts[next] {
                    result = known
                    break
                }
                // Numbers may have been used anew while the table was read: then there can be circles in it.
                guard let row = table[next], !path.contains(next) else { break }
                path.append(next)
                if roots.contains(row.parent) {
                    result = true
                    break
                }
                next = row.parent
            }
            for pid in path { verdicts[pid] = result }
            return result
        }
        return table.filter { !roots.contains($0.key) && !$0.value.hasEnded && descends($0.key) }.keys.sorted()
    }

    /// This process and all it descends from.
    static func ancestors(of pid: Int32) -> [Int32] {
        var found: [Int32] = []
        var next = pid
        while next > 0, !found.contains(next), let row = row(next) {
            found.append(next)
            next = row.parent
        }
        return found
    }

    /// Now, as `start(of:)` counts.
    package static func now() -> UInt64 {
        let hertz = UInt64(sysconf(Int32(_SC_CLK_TCK)))
        // The kernel's own word, as that on processes is: a clock can be put off for us alone.
        let words = (ProcFile.text("/proc/uptime") ?? "").split { $0 == "." || $0 == " " }
        if words.count > 1, let seconds = UInt64(words[0]), let hundredths = UInt64(words[1]) {
            return seconds * hertz + hundredths * hertz / 100
        }
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return UInt64(time.tv_sec) * hertz + UInt64(time.tv_nsec) * hertz / 1_000_000_000
    }

    /// A process for an operator: its number, its command, and since when it runs.
    static func described(_ pid: Int32) -> String {
        let bytes = ProcFile.bytes("/proc/\(pid)/cmdline", limit: 4096) ?? []
        var command = bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }.joined(separator: " ")
        if command.isEmpty {
            command = (ProcFile.text("/proc/\(pid)/comm") ?? "").trimmingCharacters(in: .whitespacesAndNewlines)
        }
        var since = ""
        if let ticks = row(pid)?.ticks {
            let hertz = Int64(sysconf(Int32(_SC_CLK_TCK)))
            let age = (Int64(now()) - Int64(ticks)) / max(1, hertz)
            let began = Date(timeIntervalSince1970: Double(Int64(time(nil)) - max(0, age)))
            since = ", running since \(began.formatted(.iso8601))"
        }
        return "process \(pid) (\(Text.plain(String(command.prefix(200)))))\(since)"
    }
}
