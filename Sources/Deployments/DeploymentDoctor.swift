import Foundation
import Glibc
import Platform

/// The troubleshooting list: what keeps deployments from working, with the remedy. Looks only, and settles nothing.
public enum DeploymentDoctor {
    /// Every check. Blocks the calling thread.
    public static func run(_ tree: DeploymentTree) -> [Check] {
        var checks = scripts(tree)
        checks += [signature(tree)]
        checks += trust(tree)
        checks += leftovers(tree) + backups(tree)
        do {
            let manager = try ServiceManagers.choose(tree)
            checks += disks(tree, Preflight(tree: tree, manager: manager))
            checks.append(service(tree, manager))
        } catch { checks.append(Check("service manager", .failed, error.description)) }
        checks.append(lastValidation(tree))
        return checks
    }

    private static func scripts(_ tree: DeploymentTree) -> [Check] {
        ["deploy-race-condition-fix.sh", "rollback-race-condition-fix.sh", "monitoring/validate-deployment.sh"].map {
            name in
            let path = "\(tree.directory)/\(name)"
            if access(path, X_OK) == 0 {
                let fault = Trust().scriptFault(path)
                return Check(name, fault == nil ? .passed : .failed, fault ?? "can be run")
            }
            let isThere = access(path, F_OK) == 0
            return Check(
                name, .failed,
                isThere ? "is not executable: chmod 750 '\(path)'" : "is missing: fracas kit install '\(tree.root)'")
        }
    }

    /// What ends a deployment before anything else, asked in the same words.
    private static func trust(_ tree: DeploymentTree) -> [Check] {
        let settings = Trust().configurationFault(tree.root)
        let programs = Trust().programFault(tree, Trust.keys(tree, testing: true))
        return [
            Check(
                "configuration permissions", settings == nil ? .passed : .failed,
                settings ?? "nobody else can change what is read for settings"),
            Check(
                "programs", programs == nil ? .passed : .failed,
                programs ?? "nobody else can change what the settings have run"),
        ]
    }

    /// What a deployment would find, of the release where there is one, and what earlier ones could not remove.
    private static func disks(_ tree: DeploymentTree, _ preflight: Preflight) -> [Check] {
        let release = tree.configuration.path("RELEASE_DIR").flatMap { path in
            ((try? Scan.names(in: path)) ?? []).isEmpty ? nil : path
        }
        let checks = preflight.run(.any(release), writing: false).map { check in
            var check = check
            // Without a release it is not known which names one changes.
            if release == nil, check.name == "names to be replaced", check.outcome == .failed {
                check.outcome = .warning
            }
            return check
        }
        let left = [tree.directory, tree.backups].flatMap { directory in
            Leavings.names(in: directory).map { "\(directory)/\($0)" }
        }
        guard !left.isEmpty else { return checks }
        return checks + [
            Check(
                "left behind", .warning,
                "operations could not remove what they replaced: as root: rm -r \(left.map { "'\($0)'" }.joined(separator: " ")), or any deploy or rollback; where that fails, chattr -R -i -a, or findmnt"
            )
        ]
    }

    private static func leftovers(_ tree: DeploymentTree) -> [Check] {
        let (name, lock) = ("unfinished operation", Check("lock", .passed, "nobody is changing the tree"))
        guard let found = Unfinished.find(tree) else { return [Check(name, .passed, "there is none"), lock] }
        switch found {
        case .atWork: return [Check("lock", .warning, "\(found.text): wait for its end")]
        case .leftovers: return [Check(name, .passed, "there is none"), Check("leftovers", .warning, found.text), lock]
        case .brokenOff, .unreadable: return [Check(name, .failed, found.text), lock]
        }
    }

    private static func backups(_ tree: DeploymentTree) -> [Check] {
        let store = BackupStore(tree: tree)
        let names = store.names()
        guard !names.isEmpty else {
            return [
                Check("backups", .warning, "there are none: make one with deploy-race-condition-fix.sh --backup-only")
            ]
        }
        var checks: [Check] = []
        for name in names {
            do { _ = try store.verified(at: store.path(of: name)) } catch {
                checks.append(Check("backup \(name)", .failed, "\(error)"))
            }
        }
        return checks.isEmpty ? [Check("backups", .passed, "\(names.count), all of them whole")] : checks
    }

    private static func service(_ tree: DeploymentTree, _ manager: any ServiceManager) -> Check {
        do {
            let state = try manager.state()
            guard let main = state.main else {
                return Check(
                    "service", .failed,
                    "it does not run under \(manager.name): start it with 'fracas service start --tree \(tree.root)' or systemctl start \(tree.configuration["SERVICE_NAME"]), then look at its log in '\(tree.logs)' or journalctl -u \(tree.configuration["SERVICE_NAME"])"
                )
            }
            if let trouble = Health(tree: tree).ask() ?? Answerer(tree: tree, since: nil).trouble(state) {
                return Check("service", .failed, "process \(main) runs but is not healthy: \(trouble)")
            }
            return Check("service", .passed, "process \(main) is healthy")
        } catch { return Check("service", .failed, error.description) }
    }

    private static func lastValidation(_ tree: DeploymentTree) -> Check {
        let caller = Caller(say: { _ in }, isStopped: { false })
        guard let report = try? Validator(tree, since: 0, caller: caller).last() else {
            return Check("last validation", .skipped, "there was none")
        }
        let failed = report.checks.filter { $0.outcome == .failed }.map { "\($0.name): \($0.detail)" }
        return Check(
            "last validation", failed.isEmpty ? .passed : .failed,
            failed.isEmpty ? "\(report.id): healthy" : "\(report.id): \(failed.joined(separator: "; "))")
    }
}
