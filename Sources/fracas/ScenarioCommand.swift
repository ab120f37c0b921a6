import ArgumentParser
import Certification
import Foundation
import Scenarios

/// `fracas scenario`.
struct ScenarioCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scenario", abstract: "Looks at scenario files without running them.",
        subcommands: [LintCommand.self, ListCommand.self, SchemaCommand.self])
}

/// `fracas scenario lint`.
struct LintCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lint", abstract: "Checks scenario files: every problem with its file, line and remedy.")

    @Argument(help: "Scenario files, or directories of them.")
    var scenarios: [String] = ["scenarios"]
    @Option(help: "The tree the scenarios are for; any word does for checking.")
    var target = "/target"

    func run() throws {
        let files = ScenarioFiles.expand(scenarios)
        if files.isEmpty { throw Complaint("no scenario files (*.yaml) in \(scenarios.joined(separator: ", "))") }
        var failed = 0
        let lacking = HostCapabilities.probe().lacking
        for path in files {
            do {
                _ = try ScenarioLoader.load(
                    path: path, variables: ["target": target, "python": "python3", "fracas": "fracas"], lacking: lacking
                )
            } catch {
                failed += 1
                Output.complain(error.description)
            }
        }
        print("\(files.count - failed) of \(files.count) scenario files are in order")
        if failed > 0 { throw ExitCode(2) }
    }
}

/// `fracas scenario list`.
struct ListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists the scenarios there are, with what each breaks.")

    @Argument(help: "Scenario files, or directories of them.")
    var scenarios: [String] = ["scenarios"]

    func run() throws {
        for path in ScenarioFiles.expand(scenarios) {
            do {
                let variables = ["target": "/target", "python": "python3", "fracas": "fracas"]
                let scenario = try ScenarioLoader.load(path: path, variables: variables)
                print("\(scenario.name)\n    \(scenario.summary)")
            } catch { throw Complaint(error.description) }
        }
    }
}

/// `fracas scenario schema`.
struct SchemaCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schema", abstract: "Prints the JSON Schema of scenario files, for editors.")

    func run() throws { print(ScenarioSchema.text) }
}
