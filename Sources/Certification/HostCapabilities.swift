import CSyscall
import Foundation
import Glibc
import Platform

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
    /// The directory below which trials' cgroups can be made; nil when there is none.
    public let cgroup: String?

    /// Why nothing can be run here; nil when something can.
    public var refusal: String? {
        findings.first { !$0.isGood && $0.isFatal }.map { "this host cannot run trials: \($0.what); \($0.remedy)" }
    }

    /// Looks at the host.
    public static func probe() -> HostCapabilities {
        let isRoot = geteuid() == 0
        let version = kernelVersion()
        let cgroup = writableCgroup()
        let userNamespaces = Int((ProcFile.text("/proc/sys/user/max_user_namespaces") ?? "1").filter(\.isNumber)) ?? 1
        let filesystems = ProcFile.text("/proc/filesystems") ?? ""
        let findings = [
            Finding(
                what: "Linux \(version.0).\(version.1)", isGood: version >= (5, 19), isFatal: version < (5, 9),
                cost:
                    "before 5.19 a signal can restart a call that was already decided, and before 5.9 descriptors cannot be swapped",
                remedy: "run on Linux 5.19 or newer"),
            Finding(
                what: "seccomp user notification", isGood: fracas_seccomp_available(0x7fc0_0000) == 0, isFatal: true,
                cost: "no call can be stopped",
                remedy: "a kernel with CONFIG_SECCOMP_FILTER, and a container runtime that allows seccomp(2)"),
            Finding(
                what: "synchronous wake-up (Linux 6.6)", isGood: version >= (6, 6), isFatal: false,
                cost: "a stopped call takes about ten times as long", remedy: "run on Linux 6.6 or newer"),
            Finding(
                what: "exit status through pidfd (Linux 6.15)", isGood: version >= (6, 15), isFatal: false,
                cost: "how a child ended that was killed from outside is not known, so such trials are inconclusive",
                remedy: "run on Linux 6.15 or newer"),
            Finding(
                what: isRoot ? "root" : "an ordinary user, in user namespaces", isGood: isRoot || userNamespaces > 0,
                isFatal: !isRoot, cost: "no namespaces, so no trials",
                remedy: "sysctl user.max_user_namespaces=10000, or run as root"),
            Finding(
                what: "overlay file system", isGood: filesystems.contains("overlay"), isFatal: false,
                cost: "--release cannot lay a release over its tree",
                remedy: "modprobe overlay, or give a whole tree as --target"),
            Finding(
                what: cgroup.map { "cgroup below \($0)" } ?? "a writable cgroup v2", isGood: cgroup != nil,
                isFatal: false,
                cost: "trials have no cgroup of their own; pid namespaces contain them all the same",
                remedy:
                    "run as root with cgroup2 mounted, or in a delegated scope (systemd-run --user --scope -p Delegate=yes)"
            ),
        ]
        return HostCapabilities(findings: findings, needsUserNamespace: !isRoot, cgroup: cgroup)
    }

    private static func kernelVersion() -> (Int, Int) {
        let numbers = (ProcFile.text("/proc/sys/kernel/osrelease") ?? "").split(whereSeparator: { !$0.isNumber })
        let parts = numbers.prefix(2).compactMap { Int($0) }
        return parts.count == 2 ? (parts[0], parts[1]) : (0, 0)
    }

    /// Our own cgroup in the unified hierarchy, if we may make directories and move processes there.
    private static func writableCgroup() -> String? {
        let own = (ProcFile.text("/proc/self/cgroup") ?? "").split(separator: "\n").first { $0.hasPrefix("0::") }
        guard let path = own?.dropFirst(3) else { return nil }
        for line in (ProcFile.text("/proc/self/mounts") ?? "").split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count > 3, fields[2] == "cgroup2" else { continue }
            let directory = path == "/" ? String(fields[1]) : "\(fields[1])\(path)"
            if access(directory, W_OK) == 0, access("\(directory)/cgroup.procs", W_OK) == 0 { return directory }
        }
        return nil
    }
}
