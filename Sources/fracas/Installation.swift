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

    /// What every trial must see of the host: the working directory, this installation, and the interpreter with what it was made from.
    static func places(python given: String?, tree: TargetTree?) -> [String] {
        let paths = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init)
        let python = python(given: given, tree: tree)
        // Its real path is below what a virtual environment was made from.
        let interpreters = python.hasPrefix("/") ? [python] : paths.map { "\($0)/\(python)" }
        let probe = find("probe", inCheckout: "fixtures/probe", having: "sitecustomize.py")
        return [FileManager.default.currentDirectoryPath, directory.path] + interpreters + paths
            + [probe].compactMap(\.self)
    }

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

    /// The interpreter for `${python}`: the one given, the tree's own, the one of this directory, or the one in PATH.
    static func python(given: String?, tree: TargetTree?) -> String {
        if let given { return given.contains("/") ? URL(fileURLWithPath: given).path : given }
        let candidates = [
            tree.map { "\($0.path)/.venv/bin/python" }, "\(FileManager.default.currentDirectoryPath)/.venv/bin/python",
        ]
        return candidates.compactMap(\.self).first { access($0, X_OK) == 0 } ?? "python3"
    }
}
