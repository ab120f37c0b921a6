import Evidence
import Gate
import Platform
import Scenarios
import SystemPackage
import Topologies

/// How far the processes have come that a trial was asked to start.
struct ProcessStarts {
    /// The number of the next request to the sandbox.
    var nextRequest: UInt32 = 1
    /// Requests that have not been answered.
    var asked: [UInt32: Role] = [:]
    /// Those of them that execute nothing.
    var warm: Set<UInt32> = []
    /// The programs that were asked for, and where.
    var programs: [Role: (program: String, directory: String)] = [:]
    /// Why processes could not be started.
    var failures: [Role: String] = [:]
    /// Our ends of the output of processes that are not there yet.
    var streams: [Role: [NewStream]] = [:]
    /// The ends of pipes that close when a process's own program runs, or it has ended before.
    var untilExec: [Role: Descriptor] = [:]
    /// Likewise of processes that are there, by their ids in our own pid namespace.
    var running: [Int32: Descriptor] = [:]
}

/// Our end of a stream of a process, and what its own end is called.
struct NewStream {
    let stream: Line.Stream
    let source: Descriptor
    let name: String
}

/// Starting the topology's processes, and `run` steps' commands.
extension TrialLoop {
    /// Asks the sandbox to start a process.
    func startProcess(_ role: Role, command: [String], environment: [String: String], directory: String?) {
        do {
            let everything = TrialEnvironment.of(role, environment, in: plan)
            var resolved = command
            resolved[0] = try TrialEnvironment.find(command[0], in: everything["PATH"] ?? "")
            let output = try newStream(.stdout)
            let error = try newStream(.stderr)
            starts.streams[role] = [output.mine, error.mine]
            starts.programs[role] = (resolved[0], directory ?? "/")
            let exec = try Descriptor.pipe()
            starts.untilExec[role] = exec.read
            starts.asked[starts.nextRequest] = role
            let isWarm = try isWarm(role)
            if isWarm { starts.warm.insert(starts.nextRequest) }
            try sandbox.start(
                request: starts.nextRequest, command: resolved, environment: everything, directory: directory ?? "/",
                output: output.theirs, error: error.theirs, filter: filter.program,
                untilExec: exec.write, warm: isWarm)
            starts.nextRequest += 1
        } catch { starts.failures[role] = "\(error)" }
    }

    /// Whether a process comes from the interpreter that the sandbox does.
    private func isWarm(_ role: Role) throws -> Bool {
        guard let server = sandbox.warm,
            let process = plan.scenario.topology.processes.first(where: { $0.role == role })
        else { return false }
        return try WarmStart.likeness(of: process, in: plan) == server.likeness
    }

    /// Whether a process was asked for that has not shown itself.
    var isStarting: Bool { !starts.asked.isEmpty }

    /// Says of a process that Fracas started that it is none of the target's: its program never ran.
    func programFailed(_ process: TrackedProcess, _ error: Errno) {
        guard process.isTopLevel, let role = process.role else { return }
        let program = starts.programs[role].map { " '\($0.program)'" } ?? ""
        let remedy = "is it there, and executable, and is the interpreter that its first line may name?"
        process.startFailure = "its program\(program) could not be started: \(error) (\(remedy))"
        starts.failures[role] = process.startFailure
    }

    /// A process that was asked for could not even be made.
    func requestFailed(_ request: UInt32, _ reason: String, _ error: Errno) {
        guard let role = starts.asked.removeValue(forKey: request) else { return trouble("\(reason): \(error)") }
        // What the launcher says is what it was doing; where, it does not.
        let place = reason.hasSuffix("directory") ? starts.programs[role].map { " '\($0.directory)'" } ?? "" : ""
        starts.failures[role] = "\(reason)\(place): \(error)"
    }

    /// Why a process could not be started; nil if it was, or nobody has tried.
    func startFailure(of role: Role) -> String? { starts.failures[role] }

    func newStream(_ stream: Line.Stream) throws(Errno) -> (mine: NewStream, theirs: Descriptor) {
        let (read, write) = try Descriptor.pipe()
        try read.setNonBlocking()
        let name = ProcFile.link("/proc/self/fd/\(write.raw)") ?? ""
        return (NewStream(stream: stream, source: read, name: name), write)
    }

    func processStarted(_ request: UInt32, _ pid: Int32, _ handle: ProcessHandle, _ raw: Descriptor) {
        guard let role = starts.asked.removeValue(forKey: request) else { return }
        guard let process = gate.table.add(topLevel: pid, handle: handle, role: role) else {
            starts.failures[role] = "it ended before it could be watched"
            return
        }
        // Its own program begins with the next call that it makes, as if it had executed it.
        if starts.warm.contains(request) { gate.table.beginsAnew(process) }
        watchEnd(of: process)
        watchStreams(of: process, starts.streams.removeValue(forKey: role) ?? [])
        if let exec = starts.untilExec.removeValue(forKey: role) {
            process.launcherHolds = ProcFile.link("/proc/self/fd/\(exec.raw)")
            starts.running[process.hostPid] = exec
            watch(exec, Token.exec + UInt64(gate.table.all.count - 1))
        }
        let listener = Listener(owning: raw)
        listeners.append(listener)
        // The threads hold on to the loop, and end before the loop does.
        gateThreads.append(GateThreads(listener) { [self] in serve($0, listener, $1) })
    }

    func launcherLeft(_ process: TrackedProcess) {
        if let exec = starts.running.removeValue(forKey: process.hostPid) { poller.remove(exec) }
        // One that has ended has no executable any more; whether it could be started is then what init says.
        if ProcFile.link("/proc/\(process.hostPid)/exe") != nil { process.runs = true }
    }
}
