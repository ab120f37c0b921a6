import Evidence
import Platform
import Scenarios
import Topologies

/// Whether a stopped call meets the conditions of a point. Looks at the cheap ones first; allocates nothing but for lines and
/// marks. Used under the trial's lock.
final class PointMatcher {
    private struct Compiled {
        var line: Regex<AnyRegexOutput>?
        var path: Scratch.Pattern?
        var peer: Scratch.Pattern?
        var thread: Scratch.Pattern?
    }

    private let plan: Plan
    private let topology: Topology
    private let compiled: [Compiled]
    private var channels: ChannelMap
    private let scratch = Scratch()
    /// Who tells which sockets belong together.
    var peers: SocketPeers? {
        get { channels.peers }
        set { channels.peers = newValue }
    }
    /// Whether a channel may have been used of which that is not told.
    var hasUntoldSockets: Bool { channels.hasUntoldSockets }
    private let effects = CallEffects()
    /// How many writes of output could not be looked at: evidence that was lost.
    private(set) var unreadable = 0

    /// - Throws: `GateError` when a line pattern is not a regular expression.
    init(_ plan: Plan, _ topology: Topology) throws(GateError) {
        self.plan = plan
        self.topology = topology
        channels = ChannelMap(topology.channels)
        var all: [Compiled] = []
        for rule in plan.rules {
            var one = Compiled()
            if case .line(let text) = rule.point?.place {
                do { one.line = try Regex(text) } catch {
                    throw GateError("the line pattern of '\(rule.name)': \(error)")
                }
            }
            one.path = rule.point?.conditions.path.map(Scratch.Pattern.init)
            one.peer = rule.point?.conditions.peer.map(Scratch.Pattern.init)
            if case .name(let name) = rule.point?.conditions.thread { one.thread = Scratch.Pattern(name) }
            all.append(one)
        }
        compiled = all
    }

    /// Whether the call is at the rule's point, its window apart.
    func matches(
        _ rule: Rule, _ call: StoppedCall, _ process: TrackedProcess, _ mark: Mark?,
        _ listener: Listener, _ table: ProcessTable
    ) -> Bool {
        guard let point = rule.point else { return false }
        switch point.place {
        case .calls:
            return meets(rule, point.conditions, call, process, table)
                && (!point.conditions.isUnnamed || mark == nil && isUnnamed(call, process, table))
                && (!point.conditions.isEffective || mark != nil || isEffective(call))
        case .line: return mark == nil && writesLine(rule, call, listener)
        case .mark(let name, let fields): return mark.map { Self.matches($0, name, fields) } ?? false
        }
    }

    private func meets(
        _ rule: Rule, _ conditions: Conditions, _ call: StoppedCall, _ process: TrackedProcess, _ table: ProcessTable
    ) -> Bool {
        for condition in conditions.arguments where !condition.isMet(by: call.argument(condition.index)) {
            return false
        }
        switch conditions.thread {
        case nil: break
        case .main: guard call.thread == process.hostPid else { return false }
        case .other: guard call.thread != process.hostPid else { return false }
        case .name:
            guard let pattern = compiled[rule.index].thread, scratch.threadName(call.thread), scratch.matches(pattern)
            else { return false }
        }
        guard let known = plan.known(call.call) else { return false }
        let descriptor = known.descriptor.map { Int32(truncatingIfNeeded: call.argument($0)) }
        if let channel = rule.channel {
            guard let descriptor,
                channels.channel(
                    of: process, descriptor: descriptor, isWrite: isWrite(known), in: table, scratch) == channel
            else { return false }
        }
        if let pattern = compiled[rule.index].path, !isOnPath(pattern, known, call, descriptor) { return false }
        if let pattern = compiled[rule.index].peer, !isToPeer(pattern, known, call, process, descriptor) {
            return false
        }
        if conditions.isReady {
            guard let descriptor, let copy = try? process.handle?.duplicate(descriptor),
                copy.isReady(forWriting: known.isWrite)
            else { return false }
        }
        return true
    }

    private func isUnnamed(_ call: StoppedCall, _ process: TrackedProcess, _ table: ProcessTable) -> Bool {
        !isOutput(call) && channelPlace(of: call, process, table) == nil
    }

    /// Whether it writes to standard output or error.
    private func isOutput(_ call: StoppedCall) -> Bool {
        (call.call == plan.write || call.call == plan.writev) && (1...2).contains(call.arguments.0)
    }

    private func isOnPath(
        _ pattern: Scratch.Pattern, _ known: SystemCall, _ call: StoppedCall, _ descriptor: Int32?
    ) -> Bool {
        for argument in known.paths {
            let directory = argument.directory.map { Int32(truncatingIfNeeded: call.argument($0)) }
            if scratch.path(of: call.thread, at: call.argument(argument.path), directory: directory),
                scratch.matches(pattern)
            {
                return true
            }
        }
        guard let descriptor else { return false }
        return scratch.link(of: call.thread, descriptor: descriptor) && scratch.matches(pattern)
    }

    /// What a call works on, for people and for finding calls that work on the same: the text it prints, the path it is given,
    /// or what its descriptor is. Nil for calls that have none of these.
    func object(of call: StoppedCall) -> String? {
        guard let known = plan.known(call.call) else { return nil }
        if isOutput(call), let text = TargetMemory.output(of: call, isVector: call.call == plan.writev) {
            return "line \(text.prefix { $0 != "\n" }.prefix(200))"
        }
        for argument in known.paths {
            let directory = argument.directory.map { Int32(truncatingIfNeeded: call.argument($0)) }
            if scratch.path(of: call.thread, at: call.argument(argument.path), directory: directory) {
                return scratch.string
            }
        }
        guard let place = known.descriptor else { return effects.object(of: call) }
        let descriptor = Int32(truncatingIfNeeded: call.argument(place))
        return scratch.link(of: call.thread, descriptor: descriptor) ? scratch.string : nil
    }

    /// Whether a call can change anything. One that works on a descriptor that is not open cannot (`EBADF`).
    private func isEffective(_ call: StoppedCall) -> Bool {
        guard let place = plan.known(call.call)?.descriptor else { return effects.isEffective(call) }
        return scratch.link(of: call.thread, descriptor: Int32(truncatingIfNeeded: call.argument(place)))
    }

    /// The named channel that a call's descriptor is an end of.
    func channel(of call: StoppedCall, _ process: TrackedProcess, _ table: ProcessTable) -> String? {
        channelPlace(of: call, process, table).map { topology.channels[$0].name }
    }

    private func channelPlace(of call: StoppedCall, _ process: TrackedProcess, _ table: ProcessTable) -> Int? {
        guard let known = plan.known(call.call), let place = known.descriptor else { return nil }
        let descriptor = Int32(truncatingIfNeeded: call.argument(place))
        return channels.channel(
            of: process, descriptor: descriptor, isWrite: isWrite(known), in: table, scratch)
    }

    /// Whether a call is on a channel's end for writing; nil for one that transfers nothing, as close(2): it is on whichever end it is.
    private func isWrite(_ known: SystemCall) -> Bool? {
        let isTransfer = known.length != nil || known.vectorCount != nil || known.name.hasPrefix("recv")
        return known.isWrite || isTransfer ? known.isWrite : nil
    }

    private func isToPeer(
        _ pattern: Scratch.Pattern, _ known: SystemCall, _ call: StoppedCall, _ process: TrackedProcess,
        _ descriptor: Int32?
    ) -> Bool {
        if let address = known.address, call.argument(address) != 0,
            scratch.address(of: call.thread, at: call.argument(address), length: call.argument(min(address + 1, 5)))
        {
            return scratch.matches(pattern)
        }
        guard let descriptor, let copy = try? process.handle?.duplicate(descriptor), copy.isSocket else { return false }
        return scratch.peer(of: copy) && scratch.matches(pattern)
    }

    private func writesLine(_ rule: Rule, _ call: StoppedCall, _ listener: Listener) -> Bool {
        guard isOutput(call), let pattern = compiled[rule.index].line else { return false }
        let output = TargetMemory.output(of: call, isVector: call.call == plan.writev)
        guard listener.isValid(call.id) else { return false }
        guard let text = output else {
            unreadable += 1
            return false
        }
        return text.split(separator: "\n").contains { $0.firstMatch(of: pattern) != nil }
    }

    private static func matches(_ mark: Mark, _ name: String, _ fields: [String: String]) -> Bool {
        guard Scratch.matches(name, mark.name) else { return false }
        return fields.allSatisfy { key, pattern in mark.fields[key].map { Scratch.matches(pattern, $0) } ?? false }
    }

    /// The live processes other than this one that have the same end of a channel open.
    func otherHolders(of descriptor: Int32, in process: TrackedProcess, _ table: ProcessTable) -> [TrackedProcess] {
        channels.otherHolders(of: descriptor, in: process, table: table)
    }
}
