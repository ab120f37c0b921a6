import Foundation
import Glibc
import Platform

/// Whether a tree and its machine are fit for a change: everything is looked at before anything is touched.
struct Preflight {
    let tree: DeploymentTree
    let manager: any ServiceManager

    /// What it is for, with the release's directory.
    enum Purpose {
        /// A deployment of it.
        case change(String)
        /// A backup of what it would change, or where there is none, of everything.
        case backup(String)
        /// A deployment at some time, of it if there is one.
        case any(String?)
    }

    /// Every check. Without `writing` what could only be tried out is left out.
    func run(_ purpose: Purpose, writing: Bool = true) -> [Check] {
        let extent = extent(purpose)
        let least = tree.configuration.decimal("REQUIRED_DISK_GB")
        var checks = [root(), owner(), python(), environment(), disk(extent, leastGB: least), logs(), memory()]
        // On a disk that cannot be written the first check says it all.
        if checks[0].outcome == .passed {
            checks.append(exchange(writing: writing))
            if extent.isChange { checks += exchangeable(extent.units, writing: writing) }
        }
        checks.append(processes())
        if case .change(let release) = purpose { checks.insert(self.release(release), at: 1) }
        return checks
    }

    private func extent(_ purpose: Purpose) -> Extent {
        let (release, isChange): (String?, Bool) =
            switch purpose {
            case .change(let release): (release, true)
            case .backup(let release): (release, false)
            case .any(let release): (release, true)
            }
        if let release, let units = try? Scan.names(in: release), !units.isEmpty {
            return Extent(units: units, release: release, isChange: isChange)
        }
        let own = [tree.backups, tree.logs]
        let all = ((try? Files.entries(tree.root)) ?? []).filter { name in
            let path = "\(tree.root)/\(name)"
            return !DeploymentTree.reserved.contains(name) && !own.contains { $0 == path || $0.hasPrefix(path + "/") }
        }
        return Extent(units: all, isChange: isChange)
    }

    /// The way back: what only makes the exchange itself impossible is fatal, everything else is said. An operator in trouble is
    /// not kept from the old release because, say, memory is short.
    /// - Parameters:
    ///   - units: the names at the top that are replaced.
    ///   - copies: whether what is restored and what is put aside are copied; otherwise only names are exchanged.
    func forRollback(units: [String], copies: Bool = true) -> [Check] {
        let fatal: Set<String> = ["project root", "atomic exchange", "room", "names to be replaced"]
        let extent = copies ? Extent(units: units) : Extent(units: [], isChange: false)
        let least = tree.configuration.decimal("REQUIRED_DISK_GB")
        let all = Extent(units: [], isChange: false)
        let checks = [
            root(), disk(extent, name: "room"), owner(), python(), environment(), disk(all, leastGB: least), logs(),
            memory(),
        ]
        let tried = checks[0].outcome == .passed ? [exchange(writing: true)] + exchangeable(units, writing: true) : []
        return (checks + tried + [processes()]).map { check in
            var check = check
            if check.outcome == .failed, !fatal.contains(check.name) { check.outcome = .warning }
            return check
        }
    }

    private func root() -> Check {
        let isWritable = access(tree.root, W_OK) == 0 && access(tree.directory, W_OK) == 0
        if isWritable { return Check("project root", .passed, tree.root) }
        let number = errno
        let remedy = number == EPERM ? "chattr -i -a" : "deploy as the tree's owner or as root, on a writable disk"
        return Check(
            "project root", .failed,
            "'\(tree.root)' or its deployment directory cannot be written (\(String(cString: strerror(number)))): \(remedy)"
        )
    }

    private func release(_ path: String) -> Check {
        let status = try? FileStatus(path)
        guard status?.kind == .directory else {
            return Check(
                "release", .failed,
                "'\(path)' is not a directory: give what is to be laid over the tree with --release or RELEASE_DIR (\(tree.configuration.source(of: "RELEASE_DIR")))"
            )
        }
        let names = (try? Files.entries(path)) ?? []
        if names.isEmpty { return Check("release", .failed, "'\(path)' is empty: there is nothing to deploy") }
        if let name = names.first(where: DeploymentTree.reserved.contains) {
            return Check(
                "release", .failed,
                "'\(path)' contains '\(name)', which is the machine's own: take it out of the release")
        }
        let shown = "\(path): \(names.joined(separator: ", "))"
        // Whoever deploys it trusts it, and is told whom that means.
        if let fault = Trust().releaseFault(path) { return Check("release", .warning, "\(shown); \(fault)") }
        return Check("release", .passed, shown)
    }

    private func owner() -> Check {
        for path in [tree.root, tree.directory, "\(tree.directory)/config", tree.backups] {
            guard let status = try? FileStatus(path) else { continue }
            if status.kind == .link {
                return Check(
                    "permissions", .failed, "'\(path)' is a symbolic link: put the directory itself in its place")
            }
            if status.user != geteuid(), geteuid() != 0 {
                return Check(
                    "permissions", .failed,
                    "'\(path)' belongs to user \(status.user), but this is user \(geteuid()): deploy as that user or as root"
                )
            }
            if status.mode & 0o002 != 0 {
                return Check("permissions", .failed, "everyone can write to '\(path)': chmod o-w '\(path)'")
            }
        }
        return Check("permissions", .passed, "the tree and its deployment directory belong to who may change them")
    }

    private func python() -> Check {
        let wanted = tree.configuration["PYTHON_VERSION"]
        // The doctor looks also where a deployment ended before this.
        if let fault = Trust().configurationFault(tree.root) ?? Trust().programFault(tree, []) {
            return Check("python", .failed, "not asked for its version: \(fault)")
        }
        let command = [tree.configuration.python, "-c", "import sys; print('%d.%d.%d' % sys.version_info[:3])"]
        do {
            let result = try CommandRunner.run(command, in: tree.root, deadline: Clock.now() + 20_000_000_000)
            let version = result.output.trimmingCharacters(in: .whitespacesAndNewlines)
            guard result.status == 0 else { return Check("python", .failed, "\(command[0]): \(result.says)") }
            let isEnough = !Self.numbers(version).lexicographicallyPrecedes(Self.numbers(wanted))
            return Check(
                "python", isEnough ? .passed : .failed,
                isEnough
                    ? "\(command[0]) is \(version)"
                    : "\(command[0]) is \(version), but PYTHON_VERSION asks for \(wanted) (\(tree.configuration.source(of: "PYTHON_VERSION"))): install it, or give PYTHON"
            )
        } catch { return Check("python", .failed, error.description) }
    }

    private static func numbers(_ version: String) -> [Int] { version.split(separator: ".").map { Int($0) ?? 0 } }

    private func environment() -> Check {
        let path = "\(tree.root)/.venv/bin/python"
        if access(path, X_OK) == 0 { return Check("virtual environment", .passed, path) }
        let isNeeded = tree.configuration.flag("REQUIRE_VENV")
        return Check(
            "virtual environment", isNeeded ? .failed : .skipped,
            "'\(path)' is not there\(isNeeded ? ": python3 -m venv '\(tree.root)/.venv', or set REQUIRE_VENV=false" : "")"
        )
    }

    private func memory() -> Check {
        let text = ProcFile.text("/proc/meminfo").flatMap { ProcFile.field("MemAvailable:", in: $0) } ?? ""
        let available = Double(text.prefix { $0.isNumber }).map { $0 / Double(1 << 20) } ?? 0
        let needed = tree.configuration.decimal("REQUIRED_MEMORY_GB")
        let shown = "\((available * 10).rounded() / 10) GiB are available, \(needed) GiB are needed"
        return Check(
            "memory", available >= needed ? .passed : .failed,
            available >= needed ? shown : "\(shown) (REQUIRED_MEMORY_GB): end what else runs here")
    }

    private func processes() -> Check {
        do {
            let state = try manager.state()
            if let main = state.main {
                return Check(
                    "running processes", .passed,
                    "the service runs under \(manager.name): process \(main), \(state.processes.count) in all")
            }
            if let end = try? HTTPProbe.get(
                port: tree.configuration.whole("API_PORT"), path: tree.configuration["HEALTH_ENDPOINT"],
                nanoseconds: 1_000_000_000)
            {
                let who = PortOwner(port: tree.configuration.whole("API_PORT")).described().map { ", \($0)" } ?? ""
                return Check(
                    "running processes", .failed,
                    "the service does not run under \(manager.name), but something answers (\(end.status)) at its port \(tree.configuration["API_PORT"])\(who): stop that first ('fracas service stop' does where it runs from the tree), or give another API_PORT"
                )
            }
            return Check("running processes", .passed, "the service does not run under \(manager.name)")
        } catch { return Check("running processes", .failed, error.description) }
    }
}
