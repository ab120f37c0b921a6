import CSyscall
public import SystemPackage

/// One thread of another process, attached to for the length of one system call: what seccomp cannot show, a call's return.
///
/// `ptrace(2)` binds a traced thread to the thread that traces it, so all of this must happen on one thread of ours.
public struct ThreadTrace: Sendable {
    /// What a traced thread has come to; it stays there until it is told to go on.
    public enum Stop: Sendable, Equatable {
        /// Nothing new.
        case none
        /// It trapped, as it was asked to on attaching.
        case attached
        /// It enters a call.
        case entry(call: Int32)
        /// It leaves a call, with this answer (a negative errno for an error).
        case exit(call: Int32, value: Int64)
        /// A signal is about to be delivered.
        case signal(Int32)
        /// A signal stopped its whole process.
        case groupStop
        /// It is no more.
        case dead
    }

    /// The thread, in our own pid namespace.
    public let thread: Int32

    /// Attaches to a thread and asks it to stop where it next can: for one that is held in a call, when that call is answered.
    /// - Throws: `EPERM` when somebody else traces it or we may not, `ESRCH` when it is gone.
    public init(attachingTo thread: Int32) throws(Errno) {
        self.thread = thread
        try check(fracas_trace_begin(thread))
    }

    /// What has become of it, without waiting.
    public func poll() -> Stop {
        let stop = fracas_trace_poll(thread)
        return switch UInt8(truncatingIfNeeded: stop.kind) {
        case UInt8(ascii: "T"): .attached
        case UInt8(ascii: "E"): .entry(call: stop.call)
        case UInt8(ascii: "X"): .exit(call: stop.call, value: stop.value)
        case UInt8(ascii: "S"): .signal(stop.signal)
        case UInt8(ascii: "G"): .groupStop
        case UInt8(ascii: "D"): .dead
        default: .none
        }
    }

    /// Lets it go on until it next enters or leaves a call.
    public func proceedToCall(delivering signal: Int32 = 0) { _ = fracas_trace_to_call(thread, signal) }

    /// Leaves it stopped with its process, until that is continued.
    public func listen() { _ = fracas_trace_listen(thread) }

    /// Changes an argument of the call that it is entering or leaving.
    public func set(argument index: Int, to value: UInt64) { _ = fracas_trace_set(thread, Int32(index), value) }

    /// Changes the answer of the call that it is leaving.
    public func set(answer value: Int64) { _ = fracas_trace_set(thread, -1, UInt64(bitPattern: value)) }

    /// Lets it go for good; false when it has been killed, and its end must still be seen.
    public func end() -> Bool { fracas_trace_end(thread, 0) == 0 }

    /// Blocks until the thread is no more; for one that has been killed.
    public func awaitEnd() { fracas_trace_await(thread) }

    /// A descriptor to watch by its edges: each tells that a child of ours or a traced thread has changed. One for the whole
    /// process; nil when the host would not give it.
    public static let changes: Descriptor? = {
        let raw = fracas_watch_children()
        return raw >= 0 ? Descriptor(owning: raw) : nil
    }()
}

/// What an answer of the kernel that stands for "begin this call again, whatever handlers run first" is: `ERESTARTNOINTR`.
public let restartAnswer: Int32 = 513
