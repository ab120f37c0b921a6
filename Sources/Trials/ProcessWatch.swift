import Evidence
import Gate
import Platform
import Scenarios
import Topologies

/// Watching the processes of a trial: their births, their output, their ends.
extension TrialLoop {
    // MARK: processes

    func watchEnd(of process: TrackedProcess) {
        guard let handle = process.handle, let index = gate.table.all.lastIndex(where: { $0 === process }) else {
            return
        }
        watch(handle.descriptor, Token.process + UInt64(index), edge: true)
    }

    func watchStreams(of process: TrackedProcess, _ streams: [NewStream]) {
        for new in streams {
            process.streams[new.stream == .stdout ? 1 : 2] = new.name
            captures.append(
                Capture(
                    process: process, stream: new.stream, source: new.source, limit: plan.scenario.limits.outputBytes))
            watch(new.source, Token.capture + UInt64(captures.count - 1))
        }
    }

    func watch(_ descriptor: Descriptor, _ token: UInt64, edge: Bool = false) {
        do {
            try poller.add(descriptor, token: token, edge: edge)
        } catch { trouble("watch a descriptor: \(error)") }
    }

    /// A process that the gate holds in its first call, or the first of its new program.
    func shown(_ process: TrackedProcess, command: String, isNew: Bool, listener: Listener, id: UInt64) {
        tellDiscovered()
        if isNew { watchEnd(of: process) }
        if process.role != nil, process.streams.isEmpty { giveStreams(to: process, listener, id) }
        tellBirth(of: process, command: command)
    }

    private func tellBirth(of process: TrackedProcess, command: String) {
        let birth = Birth(
            subject: process.subject, parent: process.parent, start: process.start, command: command)
        guard birth != process.lastBirth else { return }
        if process.lastBirth == nil, process.hasUnknownParent {
            trouble(
                "process \(process.pid) ('\(command)') has no role: its parent had ended before it made its first call that is stopped, and several may have been it"
            )
        }
        process.lastBirth = birth
        record(.process(birth))
    }

    /// Tells of programs that have begun without a call that is stopped.
    func tellChanges() {
        gate.table.settleChanges()
        tellDiscovered()
    }

    private func tellDiscovered() {
        for (process, command) in gate.table.takeDiscovered() {
            if process.lastBirth == nil { watchEnd(of: process) }
            tellBirth(of: process, command: command)
        }
    }

    /// Gives a child with a role output streams of its own, in place of the captured ones it was born with.
    func giveStreams(to process: TrackedProcess, _ listener: Listener, _ id: UInt64) {
        let captured = gate.table.capturedStreams
        var streams: [NewStream] = []
        for (number, stream) in [(Int32(1), Line.Stream.stdout), (2, .stderr)] {
            guard let link = ProcFile.link("/proc/\(process.hostPid)/fd/\(number)"), captured.contains(link),
                let (mine, theirs) = try? newStream(stream), listener.replace(number, with: theirs, in: id)
            else { continue }
            streams.append(mine)
        }
        watchStreams(of: process, streams)
    }

    func processChanged(_ process: TrackedProcess) {
        // A pidfd is readable once its process has ended, whether or not anybody waits for it.
        // Init also knows why a program could not be started, so for its own children its word is waited for.
        if process.isTopLevel, process.reapedStatus == nil { return }
        end(process)
    }

    func end(_ process: TrackedProcess) {
        guard !process.hasExited else { return }
        if let command = gate.table.settleEnd(of: process) { tellBirth(of: process, command: command) }
        // What it printed comes before its end, be it on streams that it shares with those above it.
        let isSharing = process.streams.count < 2
        for capture in captures where isSharing || capture.process === process { read(capture) }
        process.hasExited = true
        lines.settle(endOf: process)
        let status = status(of: process)
        let parentEnded = gate.table.process(pid: process.parent)?.hasExited ?? false
        record(
            .exit(
                Exit(
                    subject: process.subject, status: status, orphaned: !process.isTopLevel && parentEnded,
                    startFailure: process.startFailure)))
    }

    /// How a process ended that has; nil where nobody told.
    func status(of process: TrackedProcess) -> ExitStatus? {
        // A pidfd tells when the process was waited for (Linux 6.15), /proc until then; it may be waited for between the two.
        let told =
            process.reapedStatus ?? process.handle?.exitStatus() ?? process.handle?.unreapedStatus(process.hostPid)
            ?? process.handle?.exitStatus()
        return told.flatMap(Self.status) ?? process.exitCode.map { .code(Int($0)) }
    }

    static func status(_ wait: Int32) -> ExitStatus? {
        let signal = wait & 0x7F
        return signal == 0 ? .code(Int(wait >> 8 & 0xFF)) : Signal(number: signal).map { .signal($0) }
    }
}
