import CSyscall
import Glibc
public import SystemPackage

/// A program started in a session of its own, with nothing open but its standard descriptors.
public enum Child {
    /// How a program is started.
    public struct Request: Sendable {
        /// The program's path, then its arguments.
        public var command: [String]
        /// `NAME=value`.
        public var environment: [String]
        /// The directory it starts in.
        public var directory: String
        /// Its standard output and standard error.
        public var output: Descriptor
        /// Whether it is killed when the thread that started it ends, however that comes about.
        public var diesWithParent: Bool
        /// The user and group it becomes; nil keeps ours.
        public var identity: (user: UInt32, group: UInt32)?

        /// A program with its standard descriptors.
        public init(
            command: [String], environment: [String], directory: String, output: Descriptor, diesWithParent: Bool,
            identity: (user: UInt32, group: UInt32)? = nil
        ) {
            self.command = command
            self.environment = environment
            self.directory = directory
            self.output = output
            self.diesWithParent = diesWithParent
            self.identity = identity
        }
    }

    /// Starts a program. `beforeItRuns` is called with its process id while it is held before its first instruction: if that
    /// throws, or if this process ends meanwhile, the program never runs.
    /// - Returns: its process id, which is its session and its process group too; the caller waits for it.
    /// - Throws: what `beforeItRuns` throws, or the errno of the call that failed, `execve(2)` included.
    public static func start(_ request: Request, beforeItRuns: (Int32) throws(Errno) -> Void = { (_) throws(Errno) in })
        throws(Errno) -> Int32
    {
        let gate = try Descriptor.pipe()
        let report = try Descriptor.pipe()
        let pid = try make(request, gate.read, report.write) { fracas_start_child(&$0) }
        do {
            try beforeItRuns(pid)
            try gate.write.writeAll([1])
        } catch {
            kill(pid, SIGKILL)
            Spawn.wait(pid)
            throw error
        }
        guard let failure = try awaitProgram(report) else { return pid }
        Spawn.wait(pid)
        throw failure
    }

    /// What keeps a program running.
    public struct Keeper: Sendable {
        /// Its program's path.
        public var program: String
        /// Its arguments, the first of which is its name.
        public var arguments: [String]
        /// `NAME=value`.
        public var environment: [String]
        /// Is open in it as descriptor 5.
        public var letter: Descriptor

        /// A keeper.
        public init(program: String, arguments: [String], environment: [String], letter: Descriptor) {
            self.program = program
            self.arguments = arguments
            self.environment = environment
            self.letter = letter
        }
    }

    /// Starts a program below a keeper, which is its parent, has a session of its own, and becomes the parent of all that is orphaned
    /// below it. `beforeTheyRun` is called with the keeper's process id and the program's while both are held before their first
    /// instruction, as in `start`.
    /// - Throws: what `beforeTheyRun` throws, or the errno of the call that failed; then neither runs.
    public static func start(
        _ request: Request, below keeper: Keeper, beforeTheyRun: (Int32, Int32) throws(Errno) -> Void
    ) throws(Errno) {
        let gate = try Descriptor.pipe()
        let report = try Descriptor.pipe()
        let births = try Descriptor.pipe()
        var arguments: [UnsafeMutablePointer<CChar>?] = keeper.arguments.map { strdup($0) } + [nil]
        var environment: [UnsafeMutablePointer<CChar>?] = keeper.environment.map { strdup($0) } + [nil]
        let path = strdup(keeper.program)
        defer { for text in arguments + environment + [path] { free(text) } }
        let first = try arguments.withUnsafeMutableBufferPointer { (arguments) throws(Errno) in
            try environment.withUnsafeMutableBufferPointer { (environment) throws(Errno) in
                var kept = fracas_keeper()
                kept.path = UnsafePointer(path)
                kept.arguments = arguments.baseAddress.map { UnsafePointer($0) }
                kept.environment = environment.baseAddress.map { UnsafePointer($0) }
                kept.births = births.write.raw
                kept.letter = keeper.letter.raw
                return try make(request, gate.read, report.write) { fracas_start_kept(&$0, &kept) }
            }
        }
        var program: ProcessHandle?
        do throws(Errno) {
            try check(dup2(births.read.raw, births.write.raw))
            let bytes = try births.read.readAll(limit: 4)
            guard bytes.count == 4 else { throw Errno.noChildProcess }
            let pid = bytes.withUnsafeBytes { $0.load(as: Int32.self) }
            program = try ProcessHandle(pid: pid)
            try beforeTheyRun(first, pid)
            try gate.write.writeAll([1, 1])
            if let failure = try awaitProgram(report) { throw failure }
        } catch {
            // The keeper first: it would start the program again.
            kill(first, SIGKILL)
            Spawn.wait(first)
            try? program?.send(SIGKILL)
            throw error
        }
    }

    private static func make(
        _ request: Request, _ gate: Descriptor, _ report: Descriptor, _ start: (inout fracas_child) -> Int32
    ) throws(Errno) -> Int32 {
        let input = try Files.open("/dev/null", flags: O_RDONLY)
        var arguments: [UnsafeMutablePointer<CChar>?] = request.command.map { strdup($0) } + [nil]
        var environment: [UnsafeMutablePointer<CChar>?] = request.environment.map { strdup($0) } + [nil]
        let path = strdup(request.command[0])
        let directory = strdup(request.directory)
        defer {
            for text in arguments + environment + [path, directory] { free(text) }
        }
        var pid: Int32 = -1
        var failure: Int32 = 0
        arguments.withUnsafeMutableBufferPointer { arguments in
            environment.withUnsafeMutableBufferPointer { environment in
                var child = fracas_child()
                child.path = UnsafePointer(path)
                child.directory = UnsafePointer(directory)
                child.arguments = arguments.baseAddress.map { UnsafePointer($0) }
                child.environment = environment.baseAddress.map { UnsafePointer($0) }
                child.input = input.raw
                child.output = request.output.raw
                child.gate = gate.raw
                child.report = report.raw
                child.dies_with_parent = request.diesWithParent ? 1 : 0
                child.user = request.identity.map { Int32(bitPattern: $0.user) } ?? -1
                child.group = request.identity.map { Int32(bitPattern: $0.group) } ?? -1
                pid = start(&child)
                failure = errno
            }
        }
        guard pid > 0 else { throw Errno(rawValue: failure) }
        return pid
    }

    /// Reads the errno of a program that could not be run; an end of file means that it runs.
    private static func awaitProgram(_ report: (read: Descriptor, write: Descriptor)) throws(Errno) -> Errno? {
        // Our own end would keep the pipe open for ever, so it is swapped for one that is not its end.
        try check(dup2(report.read.raw, report.write.raw))
        let bytes = try report.read.readAll(limit: 4)
        guard bytes.count == 4 else { return nil }
        return Errno(rawValue: bytes.withUnsafeBytes { $0.load(as: Int32.self) })
    }

    /// A child of ours that has ended, whichever it is, with its wait status; this reaps it.
    /// - Returns: nil when none has, and whether there are any.
    public static func reapAny() -> (ended: (pid: Int32, status: Int32)?, areAny: Bool) {
        var status: Int32 = 0
        while true {
            let pid = waitpid(-1, &status, WNOHANG)
            if pid > 0 { return ((pid, status), true) }
            if pid == 0 { return (nil, true) }
            if errno != EINTR { return (nil, false) }
        }
    }

    /// The wait status of a child that has ended, which reaps it; nil while it runs or when it is no child of ours.
    public static func reap(_ pid: Int32) -> Int32? {
        var status: Int32 = 0
        return waitpid(pid, &status, WNOHANG) == pid ? status : nil
    }
}

/// Waiting for one descriptor, for a time.
public enum Wait {
    /// Blocks the calling thread until there is something to read (or to write), or the time is over.
    /// - Returns: whether there is.
    public static func forInput(_ descriptor: Descriptor, until deadline: Int64, forWriting: Bool = false) -> Bool {
        forInput([descriptor], until: deadline, forWriting: forWriting) != nil
    }

    /// Likewise for any of several.
    /// - Returns: the place of the first that is ready; nil when the time is over.
    public static func forInput(_ descriptors: [Descriptor], until deadline: Int64, forWriting: Bool = false) -> Int? {
        var polled = descriptors.map { pollfd(fd: $0.raw, events: Int16(forWriting ? POLLOUT : POLLIN), revents: 0) }
        while true {
            // What is ready now counts, also when the time is over.
            let left = max(0, deadline - Clock.now())
            let milliseconds = Int32(min(left / 1_000_000 + (left > 0 ? 1 : 0), 3_600_000))
            if poll(&polled, nfds_t(polled.count), milliseconds) > 0 { return polled.firstIndex { $0.revents != 0 } }
            if left == 0 { return nil }
        }
    }
}
