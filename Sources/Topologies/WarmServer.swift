import CSyscall
import Glibc
import Platform
import Synchronization
import SystemPackage

/// A Python interpreter that has loaded what a target will import, and makes sandboxes as copies of itself: in such a sandbox a process can
/// be started that goes on from there in place of executing a program. `fixtures/probe/_fracas_warm.py` is what it runs.
///
/// It ends when nothing refers to it any more, or Fracas is gone; sandboxes that it has made are not touched by that.
public final class WarmServer: Sendable {
    /// What an interpreter is like: two processes for which it is the same can come from one.
    public struct Likeness: Hashable, Sendable {
        /// The interpreter's path.
        public var interpreter: String
        /// The script that it will run.
        public var script: String
        /// Its whole environment: modules may look at it as they are loaded.
        public var environment: [String: String]
        /// The modules that it loads.
        public var modules: [String]
        /// Where they are searched for first.
        public var path: [String]

        /// Makes one.
        public init(
            interpreter: String, script: String, environment: [String: String], modules: [String], path: [String]
        ) {
            self.interpreter = interpreter
            self.script = script
            self.environment = environment
            self.modules = modules
            self.path = path
        }
    }

    /// What it is made with, of Fracas's own.
    public struct Parts: Sendable {
        /// The path of the launcher's library, `libfracas-warm.so`.
        public var library: String
        /// The path of the script that loads it.
        public var script: String

        /// Makes them.
        public init(library: String, script: String) {
            self.library = library
            self.script = script
        }
    }

    /// What it is like.
    public let likeness: Likeness
    private let pid: Int32
    /// One trial after the other asks.
    private let socket: Mutex<PacketSocket>
    /// Whether it has made a sandbox, so that it is known to work.
    private let hasServed = Mutex(false)

    /// The longest that loading may take, and the longest that a sandbox may.
    private static let patience = (loading: Int32(120_000), starting: Int32(10_000))
    /// How long its command line is, so that there is room for any target's.
    private static let room = 16384

    /// Starts one, and waits until it has loaded everything. Blocks the calling thread.
    /// - Throws: `TopologyError` when a module cannot be loaded, or the interpreter not started.
    init(_ likeness: Likeness, _ parts: Parts, sandbox: Sandbox.Options) throws(TopologyError) {
        self.likeness = likeness
        do {
            let ours: PacketSocket
            (ours, pid) = try Self.spawn(likeness, parts, sandbox)
            socket = Mutex(ours)
            do { try Self.hear(from: ours, within: Self.patience.loading) } catch {
                throw TopologyError(
                    "\(likeness.interpreter): warm start: \(error); mend the scenario's 'warm', or leave out --warm",
                    isEnd: (error as? TopologyError)?.isEnd ?? false)
            }
        } catch let error as TopologyError { throw error } catch {
            throw TopologyError("start '\(likeness.interpreter)' for warm starts: \(error)")
        }
    }

    /// Starts the interpreter. Its end of the socket is then only its own: when it ends, that is heard.
    private static func spawn(
        _ likeness: Likeness, _ parts: Parts, _ sandbox: Sandbox.Options
    ) throws -> (PacketSocket, Int32) {
        let (ours, theirs) = try PacketSocket.pair()
        var arguments = ["--socket", "3"] + (sandbox.userNamespace ? ["--user"] : []) + sandbox.overlayArguments
        arguments += ["--warm", likeness.interpreter, parts.script, parts.library]
        arguments += [
            likeness.script, likeness.path.joined(separator: ":"), likeness.modules.joined(separator: ";"),
            String(repeating: "-", count: Self.room),
        ]
        let pid = try Spawn.start(
            sandbox.launcher, arguments: arguments, environment: likeness.environment, passing: theirs.descriptor)
        return (ours, pid)
    }

    /// Has it make a sandbox.
    /// - Returns: the guard's process id, a child of ours.
    func start(arguments: [String], passing theirs: PacketSocket) throws(TopologyError) -> Int32 {
        do {
            let options = try Descriptor.memory("fracas-options", holding: arguments.flatMap { Array($0.utf8) + [0] })
            return try socket.withLock { socket in
                try socket.send(UInt8(0), descriptors: [options, theirs.descriptor])
                let pid = try Self.hear(from: socket, within: Self.patience.starting)
                hasServed.withLock { $0 = true }
                return pid
            }
        } catch { throw TopologyError("the interpreter for warm starts: \(error)") }
    }

    /// Whether it has ended: somebody else ended it, for it does so itself only when it is not needed any more.
    var isGone: Bool {
        socket.withLock { socket in
            var watched = pollfd(fd: socket.descriptor.raw, events: 0, revents: 0)
            return poll(&watched, 1, 0) > 0 && watched.revents & Int16(POLLHUP) != 0
        }
    }

    /// Whether it ended before it had made a sandbox.
    var wasOfNoUse: Bool { isGone && !hasServed.withLock(\.self) }

    /// Its answer: a number, or what went wrong in words.
    @discardableResult
    private static func hear(from socket: PacketSocket, within milliseconds: Int32) throws -> Int32 {
        guard let bytes = try socket.receiveBytes(atMost: 1024, within: milliseconds) else {
            throw TopologyError("it says nothing after \(milliseconds / 1000) s")
        }
        guard !bytes.isEmpty else { throw TopologyError("it ended", isEnd: true) }
        guard bytes.count == 4 else { throw TopologyError(String(decoding: bytes, as: UTF8.self)) }
        let answer = bytes.withUnsafeBytes { $0.loadUnaligned(as: Int32.self) }
        guard answer >= 0 else { throw TopologyError("it could not make a process: \(Errno(rawValue: -answer))") }
        return answer
    }

    deinit {
        socket.withLock { _ = shutdown($0.descriptor.raw, Int32(SHUT_RDWR)) }
        Spawn.wait(pid)
    }
}

/// The warm servers of a run, each started when it is first needed.
public final class WarmServers: Sendable {
    private let parts: WarmServer.Parts
    private let servers = Mutex<[Key: Entry]>([:])

    private struct Entry {
        var server: Result<WarmServer, TopologyError>
        /// How many in a row ended before they had made a sandbox.
        var uselessEnds = 0
    }

    /// One that has ended is started again; not more often than this where it is of no use.
    private static let mostUselessEnds = 3

    /// What two sandboxes must have in common to be copies of one interpreter: what it has loaded is of the tree that they see.
    private struct Key: Hashable {
        let likeness: WarmServer.Likeness
        let overlays: [[String]]
        let userNamespace: Bool
    }

    /// Makes an empty collection.
    public init(_ parts: WarmServer.Parts) { self.parts = parts }

    /// An empty collection of the same kind: its interpreters end with it.
    public var anew: WarmServers { WarmServers(parts) }

    /// The one that is like this and sees the same tree, started if there is none, or it was ended from outside. Blocks the calling
    /// thread; others wait for it.
    /// - Throws: `TopologyError` when it could not be started, now or before, or ends each time before it has made a sandbox.
    public func server(
        _ likeness: WarmServer.Likeness, sandbox: Sandbox.Options
    ) throws(TopologyError) -> WarmServer {
        let key = Key(
            likeness: likeness, overlays: sandbox.overlays.map { [$0.lower, $0.at] },
            userNamespace: sandbox.userNamespace)
        let found = servers.withLock { servers -> Result<WarmServer, TopologyError> in
            let known = servers[key]
            var ends = 0
            switch known?.server {
            case .failure(let error)?:
                guard error.isEnd else { return .failure(error) }
                ends = (known?.uselessEnds ?? 0) + 1
            case .success(let server)?:
                guard server.isGone else { return .success(server) }
                ends = server.wasOfNoUse ? (known?.uselessEnds ?? 0) + 1 : 0
            case nil: break
            }
            let new: Result<WarmServer, TopologyError> =
                ends < Self.mostUselessEnds
                ? Result { () throws(TopologyError) in try WarmServer(likeness, parts, sandbox: sandbox) }
                : .failure(
                    TopologyError(
                        "the interpreter for warm starts was ended from outside \(ends) times in a row before it was of use; see what ends it (the host's memory killer?), or leave out --warm"
                    ))
            servers[key] = Entry(server: new, uselessEnds: ends)
            return new
        }
        return try found.get()
    }
}
