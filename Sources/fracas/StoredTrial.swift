import Certification
import Evidence
import Foundation
import Scenarios

/// What a stored trial is run on again: what its ledger names, or what the options give in its place. To run it on a fix is what a
/// replay is for.
struct StoredTrial {
    /// Its ledger's first record.
    let header: Header
    /// The tree under test.
    let tree: TargetTree?
    /// What variables stand for now, of those that were given.
    private(set) var given: [String: String]
    private let options: RunOptions
    private let interpreter: String?

    /// Finds out what it is run on.
    init(_ header: Header, _ options: RunOptions) throws {
        self.header = header
        self.options = options
        let isElsewhere = options.target != nil
        if !isElsewhere, header.target == nil, options.release != nil || options.control != nil {
            throw Complaint(
                "--release and --control say which of a target's, and the trial had none: give --target too")
        }
        tree = try options.tree(
            options.target ?? header.target, release: options.release ?? (isElsewhere ? nil : header.release),
            control: options.control ?? (isElsewhere ? nil : header.control))
        given = header.scenario.variables?.given ?? [:]
        interpreter = try options.python.map {
            try Installation.python(given: $0, tree: nil, scenario: "").path
        }
        let old = given
        if let tree, old["target"] != nil { given["target"] = tree.path }
        if let interpreter, old["python"] != nil { given["python"] = interpreter }
        given.merge(options.values) { $1 }
    }

    /// Says where it runs, where that is elsewhere than it did.
    func tell() {
        var parts: [String] = []
        if let tree, options.target != nil || options.release != nil || options.control != nil {
            let release = tree.release.map { ", release \($0)" } ?? ""
            let control = tree.control.map { ", control \($0.name)" } ?? ""
            parts.append("target \(tree.path)\(release)\(control)")
        }
        if let interpreter { parts.append("python \(interpreter)") }
        parts += options.values.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        if !parts.isEmpty { Output.complain("not as in its trial: \(parts.joined(separator: "; "))") }
    }

    /// The schedule of the trial, on what it is run on now.
    /// - Parameter whole: the trial's own scenario with its faults where they were.
    func scenario(of whole: Scenario) throws -> Scenario {
        var scenario = whole
        if !options.values.isEmpty {
            scenario = try readAnew(whole)
        } else {
            if let tree, let old = header.target, old != tree.path {
                scenario = scenario.replacing(old, with: tree.path) ?? scenario
            } else if header.target == nil, options.target != nil {
                throw Complaint("--target has no effect: the trial had no target, and its scenario names none")
            }
            if let interpreter {
                guard let old = header.scenario.variables?.given["python"],
                    let changed = scenario.replacing(old, with: interpreter)
                else { throw Complaint("--python has no effect: the trial's scenario does not use ${python}") }
                scenario = changed
            }
            scenario.variables?.given = given
        }
        scenario.setAside(options.ignore)
        return scenario
    }

    /// The scenario as its file gives it with other settings; what was broken, and the steps that were made for that, stay.
    private func readAnew(_ whole: Scenario) throws -> Scenario {
        let stored = header.scenario
        let names = options.values.keys.sorted().joined(separator: ", ")
        guard let path = stored.source, let variables = stored.variables else {
            throw Complaint("--set \(names): the ledger does not say which file the trial's scenario came from")
        }
        for name in options.values.keys.sorted() {
            guard let problem = Scenario.Variables.problem(with: name, of: [stored]) else { continue }
            throw Complaint("--set \(name)=…: \(problem)")
        }
        let then = try ScenarioLoader.load(path: path, variables: variables.given)
        guard then.topology == stored.topology, then.expect == stored.expect else {
            throw Complaint(
                "--set \(names): \(path) has changed since the trial, so what it gives is not the trial's any more; put it back, or leave out --set"
            )
        }
        let now = try ScenarioLoader.load(path: path, variables: given)
        let fromTrial = whole.faults.map(\.name)
        guard then.faults == now.faults || !then.faults.contains(where: { fromTrial.contains($0.name) }) else {
            throw Complaint("--set \(names) changes the scenario's faults, and those are the trial's own: leave it out")
        }
        var scenario = whole
        (scenario.topology, scenario.expect, scenario.limits) = (now.topology, now.expect, now.limits)
        scenario.variables = now.variables
        scenario.steps = whole.steps.map { step in
            guard let place = then.steps.firstIndex(of: step), now.steps.indices.contains(place) else { return step }
            return now.steps[place]
        }
        return scenario
    }
}
