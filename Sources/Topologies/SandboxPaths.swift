import Foundation
import Glibc
public import Scenarios

/// Which of the host's paths a trial sees although it has a `/tmp` and a `/var/tmp` of its own, and what a scenario asks for.
extension Sandbox {
    private static let hidden = ["/tmp/", "/var/tmp/"]

    /// Whether a path is where a trial has a place of its own.
    public static func hides(_ path: String) -> Bool { hidden.contains { path.hasPrefix($0) } }

    /// What must stay visible so that all of these are: of each that is hidden, and of where it leads by symbolic links, the part just
    /// below `/tmp` or `/var/tmp`. So whatever stands beside it in a checkout or an installation is there too.
    public static func shown(_ paths: [String]) -> [String] {
        let all = paths.flatMap { path -> [String] in
            guard let real = realpath(path, nil) else { return [] }
            defer { free(real) }
            return [path, String(cString: real)]
        }
        let parts = all.compactMap { path -> String? in
            let place = URL(fileURLWithPath: path).standardizedFileURL.path
            guard let start = hidden.first(where: { place.hasPrefix($0) }) else { return nil }
            return place.dropFirst(start.count).split(separator: "/").first.map { start + $0 }
        }
        return Set(parts).sorted()
    }
}

extension Sandbox.Options {
    /// These options, with what a scenario needs besides: its own files, the programs it names, and what it lists under `files`.
    public func serving(_ scenario: Scenario) -> Self {
        var options = self
        let own = scenario.source.map { [URL(fileURLWithPath: $0).deletingLastPathComponent().path] } ?? []
        let programs = scenario.topology.processes.compactMap(\.command.first).filter { $0.hasPrefix("/") }
        options.visible = Set(visible + Sandbox.shown(own + programs + neighbours(of: own.first, in: scenario)))
            .sorted()
        options.writable += scenario.files?.writable ?? []
        options.empty += scenario.files?.empty ?? []
        return options
    }

    /// Of a scenario that stands in `/tmp` or `/var/tmp` itself: the files beside it that its commands name.
    private func neighbours(of directory: String?, in scenario: Scenario) -> [String] {
        guard let directory, Sandbox.hides("\(directory)/"), !Sandbox.hides(directory) else { return [] }
        return scenario.topology.processes.flatMap(\.command).filter { word in
            let place = URL(fileURLWithPath: word).standardizedFileURL
            var isDirectory: ObjCBool = false
            return word.hasPrefix("/") && place.deletingLastPathComponent().path == directory
                && FileManager.default.fileExists(atPath: place.path, isDirectory: &isDirectory)
                && !isDirectory.boolValue
        }
    }
}
