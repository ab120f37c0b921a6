import ArgumentParser
import Exploration
import Scenarios

/// Whom a search for races leaves alone.
struct SparedRoles: ParsableArguments {
    @Option(
        name: .customLong("spare"),
        help: """
            A role that is neither signalled nor stopped (may be repeated): --spare main, where all that follows from the end of \
            'main' is known.
            """)
    var roles: [String] = []

    func validate() throws {
        for role in roles where RolePattern(parsing: role) == nil {
            throw ValidationError("--spare takes a role or a pattern, such as main or main.worker[0], not '\(role)'")
        }
    }

    /// The roles, each of which a process of the scenarios must be able to have.
    func patterns(in scenarios: [Scenario]) throws -> [RolePattern] {
        try roles.compactMap(RolePattern.init(parsing:)).map { pattern in
            let names = scenarios.flatMap { scenario in
                scenario.topology.processes.compactMap { $0.role.segments.last?.name }
                    + scenario.topology.children.map(\.name)
            }
            if let name = pattern.segments.last?.name, names.contains(name) { return pattern }
            let known = Set(names).sorted().joined(separator: ", ")
            throw Complaint("--spare \(pattern): no process of these scenarios has that role; there are \(known)")
        }
    }
}

/// What a search for races does not do.
struct SparingOptions: ParsableArguments {
    @OptionGroup var spared: SparedRoles
    @Option(
        name: .customLong("without"),
        help: """
            A kind of thing that is not done, as the coverage names them: \(Self.names) (may be repeated). Without 'kill' nobody is \
            killed, at an operation of another neither.
            """)
    var kinds: [String] = []

    private static let names = Candidate.Kind.allCases.map(\.rawValue).joined(separator: ", ")

    func validate() throws {
        for kind in kinds where Candidate.Kind(rawValue: kind) == nil {
            throw ValidationError("--without takes one of \(Self.names), not '\(kind)'")
        }
    }

    func sparing(in scenarios: [Scenario]) throws -> Sparing {
        Sparing(
            roles: try spared.patterns(in: scenarios), kinds: Set(kinds.compactMap(Candidate.Kind.init(rawValue:))))
    }
}
