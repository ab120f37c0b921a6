import ArgumentParser
import Certification
import Checkers
import Foundation
import Glibc
import Reports
import Scenarios
import Topologies
import Trials

/// What the commands that run trials have in common.
struct RunOptions: ParsableArguments {
    @Option(help: "The tree under test.")
    var target: String?
    @Option(help: "Which of the tree's releases, for a tree that has several.")
    var release: String?
    @Option(help: "A known race to put into the target: a directory with a race.patch, as those in fixtures/races.")
    var control: String?
    @Option(help: "The seed; the same seed gives the same trials. Default: drawn, and printed.")
    var seed: UInt64?
    @Option(
        help: """
            How many trials side by side. Default: one for each core; to explore \(ExploreCampaign.jobsPerCore(isWarm: false)), \
            and \(ExploreCampaign.jobsPerCore(isWarm: true)) with --warm.
            """)
    var jobs: Int?
    @Option(
        help: """
            The Python interpreter for scenarios that use ${python}. Default: the target's .venv, else the nearest .venv above the \
            scenario, else PATH's python3; for a stored trial the one it was run with.
            """)
    var python: String?
    @Option(name: .customLong("set"), help: "Sets a scenario's variable: --set name=value (may be repeated).")
    var settings: [String] = []
    @Option(
        help: """
            Sets a known finding aside, as reports call it or by a pattern: 'orphan of main.*' (may be repeated). It makes no trial \
            violated and is listed apart.
            """)
    var ignore: [String] = []
    @Flag(
        inversion: .prefixedNo,
        help: """
            Have processes that say so in their scenario ('warm') come from an interpreter that has loaded their modules already: \
            much cheaper trials, a little less faithful (docs/warm-starts.md). Default: no; for a stored trial, as it was.
            """)
    var warm: Bool?
    @Option(help: "The directory below which reports are made.")
    var reports = "reports"
    @Option(help: "What standard output carries: text or json.")
    var format: Format = .text

    enum Format: String, ExpressibleByArgument, CaseIterable { case text, json }

    func validate() throws {
        if let jobs, !(1...256).contains(jobs) { throw ValidationError("--jobs must be from 1 to 256, not \(jobs)") }
        for setting in settings where !setting.dropFirst().contains("=") {
            throw ValidationError("--set takes name=value, not '\(setting)'")
        }
        let names = settings.map(Self.name)
        for name in Set(names) where names.count(where: { $0 == name }) > 1 {
            throw ValidationError("--set gives '\(name)' twice")
        }
        for (option, isGiven) in [("python", python != nil), ("target", target != nil)]
        where isGiven && names.contains(option) {
            throw ValidationError("--\(option) and --set \(option)=… say the same: give one")
        }
        for pattern in ignore where pattern.isEmpty {
            throw ValidationError("--ignore takes a finding as reports call it, or a pattern on that")
        }
    }

    /// Runs scenarios and reports.
    /// - Returns: never; ends with the exit code of the verdict.
    func run(_ name: String, paths: [String], trials: Int?, stopsAtViolation: Bool = false) async throws {
        let (campaign, identity) = try prepare(name, paths: paths, trials: trials, stopsAtViolation: stopsAtViolation)
        try await run(campaign, identity)
    }

    /// A campaign with scenarios from files.
    func prepare(
        _ name: String, paths: [String], trials: Int? = nil, stopsAtViolation: Bool = false
    ) throws -> (Campaign, TargetIdentity?) {
        if target == nil, release != nil || control != nil {
            throw Complaint("--release and --control say which of a target's: give --target too")
        }
        let tree = try tree(target, release: release, control: control)
        let scenarios = try load(paths, tree, HostCapabilities.probe())
        return try prepare(name, scenarios, tree, trials: trials, near: paths, stopsAtViolation: stopsAtViolation)
    }

    /// The tree under test, if there is one.
    func tree(_ path: String?, release: String?, control: String?) throws -> TargetTree? {
        try wrap {
            try path.map {
                try TargetTree(
                    path: $0, release: release, control: control.map(Control.init(path:)), store: "\(reports)/controls")
            }
        }
    }

    /// A campaign with scenarios that are there already.
    /// - Parameters:
    ///   - paths: the files they come from, near which there may be others that they need.
    ///   - wasWarm: whether the trials that these are to repeat were started warm.
    func prepare(
        _ name: String, _ scenarios: [Scenario], _ tree: TargetTree?, trials: Int?, near paths: [String],
        stopsAtViolation: Bool = false, wasWarm: Bool = false
    ) throws -> (Campaign, TargetIdentity?) {
        let host = HostCapabilities.probe()
        let seed = seed ?? UInt64.random(in: 1...UInt64(Int64.max))
        if let reason = host.refusal { throw Complaint(reason) }
        let isWarm = warm ?? wasWarm
        if warm == true, !scenarios.contains(where: { $0.topology.processes.contains { $0.warm != nil } }) {
            throw Complaint("--warm: no process of these scenarios says 'warm', so there is nothing that it could do")
        }
        let probe = isWarm || scenarios.contains(where: Probe.isNeeded) ? try Installation.probe() : nil
        let sandbox = Sandbox.Options(
            launcher: try Installation.program("fracas-launch"), userNamespace: host.needsUserNamespace,
            confinesRoot: host.confinesRoot,
            visible: visiblePaths(paths, scenarios, tree, probe))
        var campaign = Campaign(
            name: name, scenarios: scenarios, target: tree, seed: seed, trials: trials ?? scenarios.count,
            jobs: jobs ?? ProcessInfo.processInfo.activeProcessorCount, sandbox: sandbox, cgroup: host.cgroup,
            probe: probe, stopsAtViolation: stopsAtViolation)
        if isWarm, let probe { campaign.warm = try Installation.warmServers(probe: probe) }
        return (campaign, try wrap { try tree?.identity() })
    }

    /// Runs a campaign and reports.
    func run(_ campaign: Campaign, _ identity: TargetIdentity?) async throws {
        let directory = try wrap { try RunDirectory(below: reports, name: campaign.name, time: Date()) }
        var progress = Progress(total: campaign.trials, quiet: false)
        let summary = await campaign.run(identity: identity, directory: directory, stop: Interruption.stop) {
            progress.show($1)
        }
        try Conclusion(summary, directory).tell {
            format == .json ? try Output.json($0) : Output.text($0, directory: $1)
        }
    }

    /// The settings, by name.
    var values: [String: String] {
        Dictionary(settings.map { (Self.name($0), String($0.dropFirst(Self.name($0).count + 1))) }) { $1 }
    }

    private static func name(_ setting: String) -> String { String(setting.prefix { $0 != "=" }) }

    /// Loads scenarios; a directory stands for all the scenarios in it.
    func load(_ paths: [String], _ tree: TargetTree?, _ host: HostCapabilities) throws -> [Scenario] {
        var problems: [String] = []
        var interpreters: [String: String] = [:]
        let scenarios = try ScenarioFiles.expand(paths).compactMap { path -> Scenario? in
            let (interpreter, why) = try Installation.python(given: python, tree: tree, scenario: path)
            var variables = ["python": interpreter, "fracas": Installation.program.path]
            if let tree { variables["target"] = tree.path }
            variables.merge(values) { $1 }
            do {
                var scenario = try ScenarioLoader.load(path: path, variables: variables, lacking: host.lacking)
                if scenario.variables?.given["python"] == interpreter { interpreters[interpreter] = why }
                scenario.setAside(ignore)
                return scenario
            } catch let error as ScenarioError {
                problems.append("\(error)")
                return nil
            }
        }
        if scenarios.isEmpty, problems.isEmpty {
            problems.append("no scenario files (*.yaml) in \(paths.joined(separator: ", "))")
        }
        guard problems.isEmpty else {
            let wantsTarget = tree == nil && problems.contains { $0.contains("${target}") }
            let hint = wantsTarget ? "\n(scenarios that use ${target} need --target)" : ""
            throw Complaint(problems.joined(separator: "\n") + hint)
        }
        try tell(scenarios, interpreters)
        return scenarios
    }

    /// Says what was chosen for the user, and what of what they gave has no effect.
    private func tell(_ scenarios: [Scenario], _ interpreters: [String: String]) throws {
        for name in values.keys.sorted() {
            guard let problem = Scenario.Variables.problem(with: name, of: scenarios) else { continue }
            throw Complaint("--set \(name)=…: \(problem)")
        }
        if python != nil, interpreters.isEmpty { Output.complain("--python has no effect: no scenario uses ${python}") }
        guard python == nil else { return }
        for (path, why) in interpreters.sorted(by: { $0.key < $1.key }) { Output.complain("python: \(path) (\(why))") }
    }

    /// What must stay visible although a trial has a /tmp and a /var/tmp of its own.
    private func visiblePaths(
        _ paths: [String], _ scenarios: [Scenario], _ tree: TargetTree?, _ probe: String?
    ) -> [String] {
        let pythons = Set(scenarios.compactMap { $0.variables?.given["python"] })
        let sources = paths + scenarios.compactMap(\.source)
        let directories = sources.map { URL(fileURLWithPath: $0).deletingLastPathComponent().standardizedFileURL.path }
        return Sandbox.shown(
            paths + directories + [tree?.path, probe].compactMap(\.self)
                + Installation.places(pythons: pythons.sorted()))
    }

    private func wrap<Value>(_ body: () throws -> Value) throws -> Value {
        do { return try body() } catch { throw Complaint("\(error)") }
    }
}

extension Scenario {
    /// Sets findings aside that are known to whoever runs it.
    mutating func setAside(_ patterns: [String]) {
        guard !patterns.isEmpty else { return }
        known = (known ?? []) + patterns.map { KnownFinding(signature: $0, why: "--ignore") }
    }
}

/// Finding scenario files.
enum ScenarioFiles {
    /// Whether a path is a directory.
    static func isDirectory(_ path: String) -> Bool {
        var isDirectory: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && isDirectory.boolValue
    }

    /// The files that paths stand for: a directory stands for the `*.yaml` directly in it, by name.
    static func expand(_ paths: [String]) -> [String] {
        paths.flatMap { path -> [String] in
            guard isDirectory(path) else { return [path] }
            let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
            return names.filter { $0.hasSuffix(".yaml") }.sorted().map { "\(path)/\($0)" }
        }
    }
}
