import CSyscall
import Glibc
public import Platform
public import SystemPackage

/// The error type of this module: what was attempted, and why it failed.
public struct TopologyError: Error, CustomStringConvertible, Sendable {
    /// What was attempted, what went wrong, what to do.
    public let description: String
    /// Whether a helper of ours ended before it had said anything: by no word of its own, so another may fare better.
    let isEnd: Bool

    init(_ description: String, isEnd: Bool = false) {
        self.description = description
        self.isEnd = isEnd
    }
}

/// A trial's own pid, mount, network and IPC namespaces, with an init that starts and reaps processes for us.
///
/// Everything in it ends when our end of the socket is closed, however that comes about: the init exits then, and with it
/// the kernel ends every process of the namespace. `fracas-launch` says how.
public final class Sandbox {
    /// What a sandbox is made of.
    public struct Options: Sendable {
        /// The path of `fracas-launch`.
        public var launcher: String
        /// Whether a user namespace is needed to be allowed the others: for everyone but root.
        public var userNamespace: Bool
        /// Whether root is to be in a user namespace of its own, in which it may do nothing to the rest of the host.
        public var confinesRoot: Bool
        /// A cgroup to make for the trial, and to remove after it with the groups beside it; nil where the host has none to give.
        public var cgroup: TrialCgroup.Places?
        /// Paths below `/tmp` and `/var/tmp` that stay visible although the trial has those of its own.
        public var visible: [String]
        /// Host paths that are the host's own in the trial: everything else is a private copy there, made as it is written.
        public var writable: [String] = []
        /// Directories that are empty in the trial at first.
        public var empty: [String] = []
        /// Directories laid read-only over others, `(what, where)`: how a release is laid over its tree with no copy made.
        public var overlays: [(lower: String, at: String)]

        /// Options for a plain sandbox.
        public init(
            launcher: String, userNamespace: Bool, confinesRoot: Bool = false, cgroup: TrialCgroup.Places? = nil,
            visible: [String] = [], overlays: [(lower: String, at: String)] = []
        ) {
            self.launcher = launcher
            self.userNamespace = userNamespace
            self.confinesRoot = confinesRoot
            self.cgroup = cgroup
            self.visible = visible
            self.overlays = overlays
        }

        /// The launcher's options for what is laid over others.
        var overlayArguments: [String] { overlays.flatMap { ["--overlay", $0.lower, $0.at] } }
    }

    /// What the sandbox tells.
    public enum Message {
        /// It is set up; its own `/proc`, `/tmp` and `/dev/shm` as directories, and who tells of its network's sockets.
        case ready(proc: Descriptor, temporary: Descriptor, sharedMemory: Descriptor, sockets: Descriptor?)
        /// A process was started: its id inside, its pidfd, and its listener.
        case started(request: UInt32, pid: Int32, handle: ProcessHandle, listener: Descriptor)
        /// Init reaped a process; with the reason if its program could not be started.
        case reaped(pid: Int32, status: Int32, failure: Errno?)
        /// A process of the trial wrote as if it were init; what it said is not believed.
        case forged(pid: Int32)
        /// A request (0: the set-up itself) could not be carried out.
        case failed(request: UInt32, reason: String, error: Errno)
        /// The sandbox is gone.
        case gone
    }

    /// The interpreter that it is a copy of; nil where it was started by executing the launcher.
    public let warm: WarmServer?
    /// For a poller.
    public var descriptor: Descriptor { socket.descriptor }
    private let socket: PacketSocket
    private let guardian: Int32
    private let cgroup: TrialCgroup.Places?
    private var ended = false
    /// Init, in our own pid namespace, from its first message on: before, no process of the target's is there.
    private var initProcess: Int32?

    /// Starts a sandbox; `ready` or `failed` follows as its first message.
    /// - Parameter warm: the interpreter that it is to be a copy of.
    public init(_ options: Options, warm: WarmServer? = nil) throws(TopologyError) {
        self.warm = warm
        cgroup = options.cgroup
        for path in options.writable where access(path, F_OK) != 0 {
            throw TopologyError(
                "'files: writable' names '\(path)', which is not there: make it, or take it off the list")
        }
        do {
            let (ours, theirs) = try PacketSocket.pair()
            try ours.nameSenders()
            var arguments = ["--socket", "3"]
            if options.userNamespace { arguments.append("--user") }
            if options.confinesRoot { arguments.append("--confine") }
            if let cgroup = options.cgroup {
                arguments += ["--cgroup", cgroup.unified]
                if let memory = cgroup.memory, memory != cgroup.unified { arguments += ["--groups", memory] }
            }
            for path in options.visible { arguments += ["--bind", path] }
            for path in options.writable { arguments += ["--writable", path] }
            for path in options.empty { arguments += ["--empty", path] }
            // A warm server has laid over what its copies see.
            if warm == nil { arguments += options.overlayArguments }
            socket = ours
            guardian =
                if let warm { try warm.start(arguments: arguments, passing: theirs) } else {
                    try Spawn.start(options.launcher, arguments: arguments, passing: theirs.descriptor)
                }
        } catch let error as TopologyError { throw error } catch {
            throw TopologyError("start '\(options.launcher)': \(error); is the installation whole? 'make' builds it")
        }
    }

    /// Asks for a process; `started` or `failed` with this request number (from 1) follows. The process holds `untilExec`
    /// open until its program runs or it ends. A `warm` one executes nothing but goes on in the interpreter that the sandbox came from.
    public func start(
        request: UInt32, command: [String], environment: [String: String], directory: String, output: Descriptor,
        error: Descriptor, filter: Descriptor, untilExec: Descriptor, warm isWarm: Bool = false
    ) throws(TopologyError) {
        var payload: [UInt8] = []
        let settings = environment.map { "\($0.key)=\($0.value)" }.sorted()
        for text in [directory, String(command.count)] + command + settings {
            guard !text.utf8.contains(0) else { throw TopologyError("a command or variable contains a NUL byte") }
            payload += Array(text.utf8) + [0]
        }
        do {
            let file = try Descriptor.memory("fracas-request", holding: payload)
            let message = fracas_request(id: request, payload_bytes: UInt32(payload.count), warm: isWarm ? 1 : 0)
            try socket.send(message, descriptors: [file, output, error, filter, untilExec])
        } catch { throw TopologyError("ask the trial's init to start '\(command[0])': \(error)") }
    }

    /// Takes the next message; nil when none is there yet.
    public func receive() -> Message? {
        guard let received = try? socket.receive(fracas_message()) else { return .gone }
        switch received {
        case .nothing: return nil
        case .end: return .gone
        case .message(let message, let descriptors, let sender):
            let kind = UInt8(bitPattern: message.kind)
            if initProcess == nil, kind == UInt8(ascii: "R") { initProcess = sender }
            // What is started is told by a process beside it, all else by init alone.
            let isByInit = kind != UInt8(ascii: "P") && (kind != UInt8(ascii: "E") || message.id == 0)
            if let initProcess, isByInit, sender != initProcess { return .forged(pid: sender) }
            return Self.decode(message, descriptors)
        }
    }

    private static func decode(_ message: fracas_message, _ descriptors: [Descriptor]) -> Message {
        switch UInt8(bitPattern: message.kind) {
        case UInt8(ascii: "R") where descriptors.count >= 3:
            return .ready(
                proc: descriptors[0], temporary: descriptors[1], sharedMemory: descriptors[2],
                sockets: descriptors.count > 3 ? descriptors[3] : nil)
        case UInt8(ascii: "P") where descriptors.count == 2:
            return .started(
                request: message.id, pid: message.pid, handle: ProcessHandle(owning: descriptors[0]),
                listener: descriptors[1])
        case UInt8(ascii: "X"):
            let failure = message.exec_errno == 0 ? nil : Errno(rawValue: message.exec_errno)
            return .reaped(pid: message.pid, status: message.status, failure: failure)
        default:
            let text = withUnsafeBytes(of: message.text) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            return .failed(request: message.id, reason: text, error: Errno(rawValue: message.status))
        }
    }

    /// Whether the sandbox has ended: its init closes its end of the socket before its processes are ended for it.
    public var isGone: Bool {
        var watched = pollfd(fd: socket.descriptor.raw, events: Int16(POLLIN), revents: 0)
        return poll(&watched, 1, 0) > 0 && watched.revents & Int16(POLLHUP) != 0
    }

    /// Begins to end every process inside.
    public func beginEnd() { shutdown(socket.descriptor.raw, Int32(SHUT_RDWR)) }

    /// Ends every process inside and waits until nothing of the sandbox is left. Blocks the calling thread.
    public func end() {
        guard !ended else { return }
        ended = true
        beginEnd()
        Spawn.wait(guardian)
        removeWhatTheGuardLeft()
    }

    /// A guard that was killed has removed nothing.
    private func removeWhatTheGuardLeft() {
        guard let cgroup, access(cgroup.unified, F_OK) == 0 else { return }
        // The init dies with the guard; when it is gone nothing of the trial is left in the groups.
        while let received = try? socket.receive(fracas_message()) {
            if case .end = received { break }
            if case .nothing = received, !Wait.forInput(socket.descriptor, until: Clock.now() + 2_000_000_000) { break }
        }
        LeftoverCgroups.remove(cgroup)
    }

    deinit { end() }
}
