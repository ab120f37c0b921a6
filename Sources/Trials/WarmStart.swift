import Scenarios
import Topologies

/// Which processes of a scenario can come from an interpreter that has loaded their modules already, and what it is like.
enum WarmStart {
    /// The sandbox of a trial: a copy of the interpreter that its processes come from, where they come from one.
    /// - Throws: `TrialError` or `TopologyError` when it cannot be made.
    static func sandbox(of plan: TrialPlan) throws -> Sandbox {
        guard let servers = plan.warm, let likeness = try likeness(in: plan) else { return try Sandbox(plan.sandbox) }
        let server = try servers.server(likeness, sandbox: plan.sandbox)
        do { return try Sandbox(plan.sandbox, warm: server) } catch {
            // It may have been ended in this very moment: then there is another one now.
            let other = try servers.server(likeness, sandbox: plan.sandbox)
            guard other !== server else { throw error }
            return try Sandbox(plan.sandbox, warm: other)
        }
    }

    /// What the interpreter of a scenario is like: that of its first process that has one.
    static func likeness(in plan: TrialPlan) throws(TrialError) -> WarmServer.Likeness? {
        for process in plan.scenario.topology.processes {
            if let likeness = try likeness(of: process, in: plan) { return likeness }
        }
        return nil
    }

    /// What a process's interpreter is like; nil where it can only be started by executing its program.
    static func likeness(of process: Topology.Process, in plan: TrialPlan) throws(TrialError) -> WarmServer.Likeness? {
        guard let warm = process.warm else { return nil }
        var environment = TrialEnvironment.of(process.role, process.environment, in: plan)
        // A library is loaded by execve(2), or not at all.
        guard environment["LD_PRELOAD"] == nil else { return nil }
        // What the probe is to do is another matter in each trial: it begins when the process does.
        for variable in Probe.variables { environment[variable] = nil }
        return WarmServer.Likeness(
            interpreter: try TrialEnvironment.find(process.command[0], in: environment["PATH"] ?? ""),
            script: process.command[1], environment: environment, modules: warm.modules, path: warm.path)
    }
}
