import Glibc
import Platform

/// The cgroups of trials whose Fracas is gone. A guard removes its trial's groups; one that was killed has not.
///
/// Only empty groups are ever removed, and no process is ended for it: all that a trial started ends with its init.
public enum LeftoverCgroups {
    private static let prefix = "fracas-"

    /// What a trial's cgroup is called: it names the process that it is of, by its id and by when it began, for ids are used again.
    public static func name(trial: Int) -> String { "\(prefix)\(getpid())-\(start(of: getpid()) ?? 0)-\(trial)" }

    /// The groups below these places whose owner is gone.
    public static func find(below places: TrialCgroup.Places) -> [String] {
        Set([places.unified, places.memory].compactMap(\.self)).sorted().flatMap { place in
            ((try? Files.entries(place)) ?? []).filter(isLeft).map { "\(place)/\($0)" }
        }
    }

    /// Removes those of them that are empty.
    public static func remove(below places: TrialCgroup.Places) {
        for path in find(below: places) { removeTree(path, patience: 0) }
    }

    /// Removes a trial's own groups, whose last process ends.
    static func remove(_ places: TrialCgroup.Places) {
        for path in Set([places.unified, places.memory].compactMap(\.self)) {
            let name = path.split(separator: "/").last.map(String.init) ?? path
            let place = Files.parent(of: path)
            for other in (try? Files.entries(place)) ?? [] where other == name || other.hasPrefix("\(name).") {
                removeTree("\(place)/\(other)", patience: 40)
            }
        }
    }

    /// Whether a name is that of a group whose owner is gone.
    static func isLeft(_ name: String) -> Bool {
        guard name.hasPrefix(prefix) else { return false }
        let parts = name.dropFirst(prefix.count).split(separator: "-", omittingEmptySubsequences: false)
        // Earlier versions left out when their process began.
        guard parts.count == 2 || parts.count == 3, let pid = Int32(parts[0]), pid > 0,
            parts.last?.split(separator: ".").allSatisfy({ Int($0) != nil }) == true
        else { return false }
        guard let start = start(of: pid) else { return true }
        return parts.count == 3 && UInt64(parts[1]) != start
    }

    /// Removes a group and those below it, the innermost first.
    /// - Parameter patience: how often to wait for a change, each time for at most 50 ms, where tasks are still being put away.
    private static func removeTree(_ path: String, patience: Int, depth: Int = 0) {
        guard depth < 256, rmdir(path) != 0, errno == EBUSY || errno == ENOTEMPTY else { return }
        for name in (try? Files.entries(path)) ?? [] where (try? FileStatus("\(path)/\(name)"))??.kind == .directory {
            removeTree("\(path)/\(name)", patience: patience, depth: depth + 1)
        }
        let events = try? Descriptor.open("\(path)/cgroup.events")
        var text: [UInt8] = Array(repeating: 0, count: 256)
        for _ in 0...patience {
            // Only what was read can be seen to change.
            if let events { _ = pread(events.raw, &text, text.count, 0) }
            if rmdir(path) == 0 || errno != EBUSY { return }
            guard patience > 0 else { return }
            var watched = pollfd(fd: events?.raw ?? -1, events: Int16(POLLPRI), revents: 0)
            poll(&watched, 1, 50)
        }
    }

    /// When a process began, in the kernel's ticks since the machine did, field 22 of `proc_pid_stat(5)`; nil when there is none.
    private static func start(of pid: Int32) -> UInt64? {
        guard let text = ProcFile.text("/proc/\(pid)/stat"), let close = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: close)...].split(separator: " ")
        return fields.count > 19 ? UInt64(fields[19]) : nil
    }
}
