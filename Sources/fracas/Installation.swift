import Certification
import Foundation
import Glibc
import Topologies

/// Where the parts of Fracas are: beside this program.
enum Installation {
    /// This program, where it really is.
    static var program: URL {
        let own =
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
        return URL(fileURLWithPath: own)
    }

    /// Where this program stands.
    static var directory: URL { program.deletingLastPathComponent() }

    /// The path of another program of ours.
    /// - Throws: `Complaint` when it is not there.
    static func program(_ name: String) throws -> String {
        let path = "\(directory.path)/\(name)"
        guard access(path, X_OK) == 0 else {
            throw Complaint("'\(path)' is missing: fracas needs \(name) beside it; 'make' builds both")
        }
        return path
    }

    /// The Python probe: in `probe` beside this program, or in the checkout it was built in.
    /// - Throws: `Complaint` when it is not there.
    static func probe() throws -> String {
        if let found = find("probe", inCheckout: "fixtures/probe", having: "sitecustomize.py") { return found }
        throw Complaint(
            "the Python probe is missing, which 'raises' and 'function' need: copy fixtures/probe to \(beside("probe"))"
        )
    }

    /// Interpreters for warm starts, none of them started yet.
    /// - Parameter probe: the probe's directory, where their script is.
    /// - Throws: `Complaint` when a part is missing.
    static func warmServers(probe: String) throws -> WarmServers {
        let library = beside("libfracas-warm.so"), script = "\(probe)/_fracas_warm.py"
        for part in [library, script] where access(part, R_OK) != 0 {
            throw Complaint("'\(part)' is missing, which --warm needs: 'make' builds all parts")
        }
        return WarmServers(.init(library: library, script: script))
    }

    /// The deployment kit: in `deployment-kit` beside this program, or in the checkout it was built in.
    /// - Throws: `Complaint` when it is not there.
    static func kit() throws -> String {
        let name = "deployment-kit"
        if let found = find(name, inCheckout: "fixtures/exo/deployment", having: "config/deployment.conf") {
            return found
        }
        throw Complaint("the deployment kit is missing: copy fixtures/exo/deployment to \(beside(name))")
    }

    /// The suite of scenarios that certifies a tree: in `scenarios` beside this program, or in the checkout it was built in; nil when
    /// it is in neither.
    static func scenarios() -> String? { find("scenarios", inCheckout: "scenarios", having: "topologies/exo.yaml") }

    private static func beside(_ name: String) -> String { directory.appendingPathComponent(name).path }

    /// A directory with a certain file in it: beside this program, or in a checkout that this program is in.
    private static func find(_ name: String, inCheckout place: String, having file: String) -> String? {
        var candidates = [beside(name)]
        var above = directory
        for _ in 0..<5 {
            above = above.deletingLastPathComponent()
            candidates.append(above.appendingPathComponent(place).path)
        }
        return candidates.first { access("\($0)/\(file)", R_OK) == 0 }
    }

    /// The interpreter for `${python}`, and why that one: the one given; the target's own; that of the nearest directory above the
    /// scenario that has a `.venv`; the one in PATH. It is the same in whatever directory Fracas is called.
    /// - Throws: `Complaint` when the one given is not there.
    static func python(
        given: String?, tree: TargetTree?, scenario: String
    ) throws -> (path: String, why: String) {
        if let given { return (try interpreter(given), "--python") }
        if let tree {
            let own = "\(tree.path)/.venv/bin/python"
            if access(own, X_OK) == 0 { return (own, "the target's .venv") }
        }
        var directory = URL(fileURLWithPath: scenario).standardizedFileURL.deletingLastPathComponent()
        while directory.path != "/" {
            let near = directory.appendingPathComponent(".venv/bin/python").path
            if access(near, X_OK) == 0 { return (near, "the nearest .venv above the scenario") }
            directory.deleteLastPathComponent()
        }
        return ("python3", "found in PATH")
    }

    /// An interpreter that somebody named.
    /// - Throws: `Complaint` when there is no such program.
    private static func interpreter(_ given: String) throws -> String {
        var isDirectory: ObjCBool = false
        func isProgram(_ path: String) -> Bool {
            FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && !isDirectory.boolValue
                && access(path, X_OK) == 0
        }
        guard given.contains("/") else {
            let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
            if path.split(separator: ":").contains(where: { isProgram("\($0)/\(given)") }) { return given }
            throw Complaint(
                "--python '\(given)' is in no directory of PATH (\(path)): give an interpreter that is there")
        }
        let path = URL(fileURLWithPath: given).path
        if isProgram(path) { return path }
        throw Complaint("--python '\(path)' is not there, or is no program: give an interpreter that is there")
    }
}
