import Foundation
import Glibc
import Platform
import Scenarios

/// What every process of a trial finds around it: little, and the same on every host.
enum TrialEnvironment {
    /// The variables a process has besides those its topology names.
    static let base: [String: String] = {
        var environment = ["LANG": "C.UTF-8", "TMPDIR": "/tmp", "HOME": "/tmp"]
        environment["PATH"] = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
        return environment
    }()

    /// The variables that a process of a trial has.
    static func of(_ role: Role, _ own: [String: String], in plan: TrialPlan) -> [String: String] {
        var everything = base
        everything.merge(own) { _, new in new }
        Probe.add(to: &everything, for: plan.scenario, directory: plan.probe)
        everything.merge(Faketime.environment(of: role, in: plan)) { _, new in new }
        return everything
    }

    /// The path of a program.
    /// - Throws: `TrialError` when no directory of `path` has an executable of that name.
    static func find(_ program: String, in path: String) throws(TrialError) -> String {
        if program.contains("/") { return program }
        for directory in path.split(separator: ":") {
            let candidate = "\(directory)/\(program)"
            if access(candidate, X_OK) == 0 { return candidate }
        }
        throw TrialError("the program '\(program)' is not in PATH (\(path)); install it or give its path")
    }
}
