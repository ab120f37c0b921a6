import Foundation
import Glibc
import Platform

/// What every process of a trial finds around it: little, and the same on every host.
enum TrialEnvironment {
    /// The variables a process has besides those its topology names.
    static let base: [String: String] = {
        var environment = ["LANG": "C.UTF-8", "TMPDIR": "/tmp", "HOME": "/tmp"]
        environment["PATH"] = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
        return environment
    }()

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

/// What this host can tell.
enum Host {
    /// Whether a pidfd tells how a process ended that its own parent reaped (Linux 6.15).
    static let tellsExitStatus: Bool = {
        var name = utsname()
        uname(&name)
        let release = withUnsafeBytes(of: name.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        let numbers = release.split(whereSeparator: { !$0.isNumber }).prefix(2).compactMap { Int($0) }
        guard numbers.count == 2 else { return false }
        return (numbers[0], numbers[1]) >= (6, 15)
    }()
}
