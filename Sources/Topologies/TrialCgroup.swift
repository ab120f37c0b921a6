import Glibc
import Platform
import SystemPackage

/// A trial's place in the host's cgroups, `cgroups(7)`: groups made within it let faults be done to some of its processes in
/// ways that no process can see. `fracas-launch` removes the groups, however Fracas ends.
public final class TrialCgroup {
    /// Where a trial may make groups.
    public struct Places: Sendable {
        /// The trial's own cgroup of version 2; groups are made beside it, as `<path>.<number>`.
        public var unified: String
        /// The same below the memory controller; nil where the host gives none. It is `unified` itself on version 2.
        public var memory: String?

        /// Makes places.
        public init(unified: String, memory: String?) {
            self.unified = unified
            self.memory = memory
        }
    }

    /// Some processes of the trial, with their descendants from now on.
    public struct Group: Sendable {
        let directory: String
        let memory: String?

        /// Freezes every process of the group, or thaws it. One that is frozen can still be killed.
        /// - Throws: `TopologyError`.
        public func setFrozen(_ isFrozen: Bool) throws(TopologyError) {
            try TrialCgroup.write(isFrozen ? "1" : "0", to: "\(directory)/cgroup.freeze")
        }

        /// Bounds what the group allocates from now on; beyond it the kernel ends one of its processes.
        /// - Throws: `TopologyError`.
        public func boundMemory(_ bytes: Int) throws(TopologyError) {
            guard let memory else { throw TopologyError("bound memory: this host gives no memory controller") }
            let isFirstVersion = access("\(memory)/memory.limit_in_bytes", F_OK) == 0
            try TrialCgroup.write(
                String(bytes), to: "\(memory)/\(isFirstVersion ? "memory.limit_in_bytes" : "memory.max")")
        }
    }

    private let places: Places
    private var groups: [Set<Int32>: Group] = [:]

    /// The cgroup that `fracas-launch` makes for a trial.
    public init(_ places: Places) { self.places = places }

    /// Puts processes into a group of their own; the same processes always share the same group.
    /// - Parameter processes: their ids in our own pid namespace.
    /// - Throws: `TopologyError` when the host does not let us.
    public func group(of processes: [Int32]) throws(TopologyError) -> Group {
        if let known = groups[Set(processes)] { return known }
        let directory = "\(places.unified).\(groups.count)"
        let memory = places.memory.map { $0 == places.unified ? directory : "\($0).\(groups.count)" }
        for path in Set([directory, memory].compactMap(\.self)) {
            guard mkdir(path, 0o755) == 0 else {
                throw TopologyError("make the cgroup '\(path)': \(Errno(rawValue: errno))")
            }
            for process in processes { try Self.write(String(process), to: "\(path)/cgroup.procs") }
        }
        let group = Group(directory: directory, memory: memory)
        groups[Set(processes)] = group
        return group
    }

    /// How long there was something in the trial that could run and nothing of it had a processor, in nanoseconds; nil where the
    /// kernel does not count that (`CONFIG_PSI`).
    public func starved() -> Int64? {
        let all = [places.unified] + groups.values.map(\.directory)
        let waits = all.compactMap { path -> Int64? in
            guard let text = ProcFile.text("\(path)/cpu.pressure"),
                let total = ProcFile.field("full", in: text)?.split(separator: "total=").last
            else { return nil }
            return Int64(total.prefix(while: \.isNumber)).map { $0 * 1000 }
        }
        return waits.isEmpty ? nil : waits.reduce(0, +)
    }

    private static func write(_ text: String, to path: String) throws(TopologyError) {
        do {
            try Descriptor.open(path, flags: O_WRONLY).writeAll(Array(text.utf8))
        } catch { throw TopologyError("write '\(text)' to '\(path)': \(error)") }
    }
}
