import CSyscall
import Foundation
import Glibc
import Platform
public import Scenarios
public import Topologies

/// What this host gives Fracas.
public struct HostCapabilities: Sendable {
    /// One thing that was looked at.
    public struct Finding: Sendable {
        /// What there is, or is not.
        public let what: String
        /// Whether it is as it should be.
        public let isGood: Bool
        /// Whether nothing works without it.
        public let isFatal: Bool
        /// What its lack costs.
        public let cost: String
        /// What to do about it.
        public let remedy: String
    }

    /// Everything that was looked at.
    public let findings: [Finding]
    /// Whether trials need a user namespace: for everyone but root.
    public let needsUserNamespace: Bool
    /// Whether targets that run as root are in a user namespace of their own: where we are root, and the host has any.
    public let confinesRoot: Bool
    /// The directories below which trials' cgroups can be made; nil when there is none.
    public let cgroup: TrialCgroup.Places?
    /// What faults may need and this host cannot give, and why.
    public let lacking: [HostNeed: String]

    /// Why nothing can be run here; nil when something can.
    public var refusal: String? {
        findings.first { !$0.isGood && $0.isFatal }.map { "this host cannot run trials: \($0.what); \($0.remedy)" }
    }

    /// Looks at the host.
    public static func probe() -> HostCapabilities {
        let isRoot = geteuid() == 0
        let version = KernelVersion.running
        let cgroup = writableCgroup()
        let userNamespaces = Int((ProcFile.text("/proc/sys/user/max_user_namespaces") ?? "1").filter(\.isNumber)) ?? 1
        // 0 and 1 let an ancestor trace, 2 only who may trace everything, 3 nobody.
        let scope = Int((ProcFile.text("/proc/sys/kernel/yama/ptrace_scope") ?? "0").filter(\.isNumber)) ?? 0
        let mayTrace = scope < 2 || (scope == 2 && isRoot)
        let filesystems = ProcFile.text("/proc/filesystems") ?? ""
        let findings = [
            Finding(
                what: "Linux \(version.major).\(version.minor)", isGood: version >= KernelVersion(5, 19),
                isFatal: version < KernelVersion(5, 12),
                cost:
                    "before 5.19 a signal can restart a call that was already decided, and before 5.12 a trial has no files of its own",
                remedy: "run on Linux 5.19 or newer"),
            Finding(
                what: "seccomp user notification", isGood: fracas_seccomp_available(0x7fc0_0000) == 0, isFatal: true,
                cost: "no call can be stopped",
                remedy: "a kernel with CONFIG_SECCOMP_FILTER, and a container runtime that allows seccomp(2)"),
            Finding(
                what: "synchronous wake-up (Linux 6.6)", isGood: version >= KernelVersion(6, 6), isFatal: false,
                cost: "a stopped call takes about ten times as long", remedy: "run on Linux 6.6 or newer"),
            Finding(
                what: "exit status through pidfd (Linux 6.15)", isGood: version >= KernelVersion(6, 15), isFatal: false,
                cost: "how a child ended that was killed from outside is not known, so such trials are inconclusive",
                remedy: "run on Linux 6.15 or newer"),
            Finding(
                what: isRoot ? "root" : "an ordinary user, in user namespaces", isGood: isRoot || userNamespaces > 0,
                isFatal: !isRoot, cost: "no namespaces, so no trials",
                remedy: "sysctl user.max_user_namespaces=10000, or run as root"),
            Finding(
                what: "overlay file system", isGood: filesystems.contains("overlay"), isFatal: false,
                cost: "--release cannot lay a release over its tree, and in a trial the host's files are read-only",
                remedy: "modprobe overlay"),
            Finding(
                what: "user namespaces for targets that run as root", isGood: userNamespaces > 0, isFatal: false,
                cost: "a target that runs as root is not confined (docs/SECURITY.md)",
                remedy: "sysctl user.max_user_namespaces=10000"),
            Finding(
                what: "memory controller of cgroups", isGood: cgroup?.memory != nil, isFatal: false,
                cost: "the fault 'memory' cannot be injected",
                remedy: "run as root, or in a delegated scope with the memory controller"),
            Finding(
                what: "libfaketime", isGood: FaketimeLibrary.path != nil, isFatal: false,
                cost: "the fault 'clock' cannot be injected", remedy: "apt-get install libfaketime"),
            Finding(
                what: "tracing of single calls (ptrace)", isGood: mayTrace, isFatal: false,
                cost: "points 'on: exit' and the fault 'short' cannot be used",
                remedy: "sysctl kernel.yama.ptrace_scope=1, or run as root"),
            Finding(
                what: cgroup.map { "cgroup below \($0.unified)" } ?? "a writable cgroup v2", isGood: cgroup != nil,
                isFatal: false,
                cost: "trials have no cgroup of their own; pid namespaces contain them all the same",
                remedy:
                    "run as root with cgroup2 mounted, or in a delegated scope (systemd-run --user --scope -p Delegate=yes)"
            ),
        ]
        var lacking: [HostNeed: String] = [:]
        if cgroup == nil { lacking[.freezer] = "it gives no cgroup v2 (see 'fracas doctor')" }
        if cgroup?.memory == nil { lacking[.memoryController] = "it gives no memory controller (see 'fracas doctor')" }
        if FaketimeLibrary.path == nil {
            lacking[.faketime] = "libfaketime is not installed (apt-get install libfaketime)"
        }
        if !mayTrace { lacking[.ptrace] = "it does not let us trace (kernel.yama.ptrace_scope; see 'fracas doctor')" }
        return HostCapabilities(
            findings: findings, needsUserNamespace: !isRoot, confinesRoot: isRoot && userNamespaces > 0, cgroup: cgroup,
            lacking: lacking)
    }

    /// Our own cgroup in the unified hierarchy, if we may make directories and move processes there.
    private static func writableCgroup() -> TrialCgroup.Places? {
        guard let unified = writableHierarchy(controller: nil) else { return nil }
        let delegated = ProcFile.text("\(unified)/cgroup.subtree_control") ?? ""
        let isDelegated = delegated.split(whereSeparator: \.isWhitespace).contains("memory")
        return TrialCgroup.Places(
            unified: unified, memory: isDelegated ? unified : writableHierarchy(controller: "memory"))
    }

    private static func has(_ word: String, in list: Substring) -> Bool {
        list.split(separator: ",").contains { $0 == word }
    }

    /// Our own cgroup in the unified hierarchy (nil) or in that of a controller of version 1, likewise.
    private static func writableHierarchy(controller: String?) -> String? {
        var own: Substring?
        for line in (ProcFile.text("/proc/self/cgroup") ?? "").split(separator: "\n") {
            // Hierarchy number, its controllers, the path: 4:memory:/a or 0::/a.
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            let isMeant = controller.map { has($0, in: fields[1]) } ?? (fields[0] == "0")
            if isMeant { own = fields[2] }
        }
        guard let path = own else { return nil }
        for line in (ProcFile.text("/proc/self/mounts") ?? "").split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count > 3, fields[2] == (controller == nil ? "cgroup2" : "cgroup"),
                controller.map({ has($0, in: fields[3]) }) ?? true
            else { continue }
            let directory = path == "/" ? String(fields[1]) : "\(fields[1])\(path)"
            if access(directory, W_OK) == 0, access("\(directory)/cgroup.procs", W_OK) == 0 { return directory }
        }
        return nil
    }
}
