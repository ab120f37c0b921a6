import Platform

/// What the processes of a trial have open, as one look finds it: each is asked once, and only for what is needed.
final class OpenDescriptors {
    /// One descriptor of one process.
    struct Holder {
        let process: TrackedProcess
        let number: Int32
        let link: String
    }

    /// Those that live.
    let processes: [TrackedProcess]
    private var links: [Int32: [Int32: String]] = [:]
    private var flags: [Int32: [Int32: Int]] = [:]
    private var mappings: [Int32: String] = [:]
    private lazy var byLink = Dictionary(
        grouping: processes.flatMap { process in
            all(of: process).map { Holder(process: process, number: $0.key, link: $0.value) }
        }, by: \.link)

    init(_ table: ProcessTable) { processes = table.all.filter { !$0.hasExited } }

    private func all(of process: TrackedProcess) -> [Int32: String] {
        if let known = links[process.hostPid] { return known }
        let found = process.descriptors()
        links[process.hostPid] = found
        return found
    }

    func numbers(of process: TrackedProcess) -> [Int32] { Array(all(of: process).keys) }

    func link(_ number: Int32, of process: TrackedProcess) -> String? { all(of: process)[number] }

    func holders(of link: String) -> [Holder] { byLink[link] ?? [] }

    /// The lines that `proc_pid_fdinfo(5)` has of a descriptor.
    func detail(_ number: Int32, of process: TrackedProcess) -> [Substring] {
        (ProcFile.text("/proc/\(process.hostPid)/fdinfo/\(number)") ?? "").split(separator: "\n")
    }

    /// How a descriptor was opened, `open(2)`.
    func flags(_ number: Int32, of process: TrackedProcess) -> Int? {
        if let known = flags[process.hostPid]?[number] { return known }
        let line = detail(number, of: process).first { $0.hasPrefix("flags:") }
        let found = line.flatMap { Int($0.dropFirst(6).filter { !$0.isWhitespace }, radix: 8) }
        flags[process.hostPid, default: [:]][number] = found
        return found
    }

    // MARK: what an epoll watches

    /// What an epoll watches. It is told by the numbers that the files had as they were given to it, which may mean others by now, or
    /// nothing in this process: what is not found counts as nil.
    func watched(by number: Int32, of process: TrackedProcess) -> [Holder?] {
        var seen: [Int32: Int] = [:]
        return detail(number, of: process).filter { $0.hasPrefix("tfd:") }.map { line in
            let words = line.split(separator: " ")
            guard words.count > 1, let watched = Int32(words[1]) else { return nil }
            let nth = seen[watched, default: 0]
            seen[watched] = nth + 1
            let inode = words.first { $0.hasPrefix("ino:") }.flatMap { UInt64($0.dropFirst(4), radix: 16) }
            var isKnown = false
            for holder in candidates(watched, inode, process) {
                let isSame = FileIdentity.isSame(
                    holder.number, of: holder.process.hostPid, asWatched: watched, nth: nth, by: number,
                    of: process.hostPid)
                if isSame == true { return holder }
                isKnown = isKnown || isSame != nil
            }
            // Where the kernel does not compare files, those with an inode of their own are told by that.
            guard !isKnown, let inode, let link = link(watched, of: process),
                ["pipe:[\(inode)]", "socket:[\(inode)]"].contains(link)
            else { return nil }
            return Holder(process: process, number: watched, link: link)
        }
    }

    /// Which descriptors may be what an epoll watches, the likeliest first.
    private func candidates(_ watched: Int32, _ inode: UInt64?, _ process: TrackedProcess) -> [Holder] {
        let own = link(watched, of: process).map { Holder(process: process, number: watched, link: $0) }
        let named = inode.map { holders(of: "pipe:[\($0)]") + holders(of: "socket:[\($0)]") } ?? []
        // All that has no inode of its own has the same one.
        let unnamed = byLink.filter { $0.key.hasPrefix("anon_inode:") }.flatMap(\.value)
        return (own.map { [$0] } ?? []) + (named.isEmpty ? unnamed : named)
    }

    // MARK: memory

    /// Whether memory of a process can be only processes' of the trial: its own, or shared through what the trial has for itself.
    func isInner(_ address: UInt64, of process: TrackedProcess) -> Bool {
        let text = mappings[process.hostPid] ?? ProcFile.text("/proc/\(process.hostPid)/maps", limit: 16 << 20) ?? ""
        mappings[process.hostPid] = text
        for line in text.split(separator: "\n") {
            // 7f1c2a000000-7f1c2a021000 rw-s 00000000 00:01 5 /dev/zero (deleted)
            let words = line.split(separator: " ", maxSplits: 5, omittingEmptySubsequences: true)
            let range = words.first?.split(separator: "-").compactMap { UInt64($0, radix: 16) } ?? []
            guard range.count == 2, range[0] <= address, address < range[1], words.count > 1 else { continue }
            if words[1].hasSuffix("p") { return true }
            guard words.count > 5 else { return false }
            let path = words[5].drop { $0 == " " }
            return ["/dev/shm/", "/memfd:", "/dev/zero", "/SYSV"].contains { path.hasPrefix($0) }
        }
        return false
    }
}
