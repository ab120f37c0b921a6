import CSyscall
public import Platform

/// A call that a thread of the target has entered, and in which the kernel holds it until the gate decides.
public struct StoppedCall: Sendable {
    /// The kernel's handle for it.
    public let id: UInt64
    /// The thread, in our own pid namespace.
    public let thread: Int32
    /// The system call's number.
    public let call: Int32
    /// As which architecture the call was made, `AUDIT_ARCH_…` of `seccomp(2)`.
    public let architecture: UInt32
    /// The address behind the instruction that makes the call.
    public let site: UInt64
    /// Its arguments.
    public let arguments: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64)

    /// Whether it was made as this machine's own programs make calls: neither as 32-bit ones do (`int 0x80`) nor as x32.
    var isNative: Bool { architecture == 0xC000_003E && call & 0x4000_0000 == 0 }

    /// An argument by its place, from 0 to 5.
    func argument(_ index: Int) -> UInt64 {
        switch index {
        case 0: arguments.0
        case 1: arguments.1
        case 2: arguments.2
        case 3: arguments.3
        case 4: arguments.4
        default: arguments.5
        }
    }
}

/// The kernel's end of a filter: hands out the calls it stopped and takes the decisions, `seccomp_unotify(2)`.
public struct Listener: Sendable {
    /// For a poller.
    public let descriptor: Descriptor
    /// Whether the kernel wakes us synchronously (Linux 6.6), which makes a decision about ten times cheaper.
    public let isSynchronous: Bool
    /// Which of its calls were received.
    let sequence = CallSequence()

    /// Takes over a listener.
    public init(owning descriptor: Descriptor) {
        self.descriptor = descriptor
        isSynchronous = fracas_notify_sync(descriptor.raw) == 0
    }

    /// Whether there may be calls to come; false when every process under the filter has ended.
    public func mayHaveMore() -> Bool { fracas_notify_wait(descriptor.raw, 0) != 0 }

    /// Before Linux 6.11 a thread that waits for a call is not told when the last process ends, so it must not wait there.
    private static let receiveEnds = KernelVersion.running >= KernelVersion(6, 11)

    /// Takes the next stopped call; blocks until there is one.
    /// - Returns: nil when there is none any more: its thread was killed meanwhile, or every process has ended.
    public func receive() -> StoppedCall? {
        if !Self.receiveEnds, fracas_notify_wait(descriptor.raw, -1) == 0 { return nil }
        var raw = seccomp_notif()
        guard fracas_notify_receive(descriptor.raw, &raw) == 0 else { return nil }
        return StoppedCall(
            id: raw.id, thread: Int32(bitPattern: raw.pid), call: raw.data.nr, architecture: raw.data.arch,
            site: raw.data.instruction_pointer,
            arguments: (
                raw.data.args.0, raw.data.args.1, raw.data.args.2, raw.data.args.3, raw.data.args.4, raw.data.args.5
            ))
    }

    /// Lets the call run. False when its thread is gone.
    @discardableResult
    public func proceed(_ id: UInt64) -> Bool { fracas_notify_continue(descriptor.raw, id) == 0 }

    /// Answers the call with an error, without running it. False when its thread is gone.
    @discardableResult
    public func fail(_ id: UInt64, errno: Int32) -> Bool { fracas_notify_error(descriptor.raw, id, errno) == 0 }

    /// Answers the call with a value, without running it. False when its thread is gone.
    @discardableResult
    public func answer(_ id: UInt64, value: Int64) -> Bool { fracas_notify_return(descriptor.raw, id, value) == 0 }

    /// Whether the thread is still in that call: what was read of its memory before is its own.
    public func isValid(_ id: UInt64) -> Bool { fracas_notify_valid(descriptor.raw, id) == 0 }

    /// Puts `source` in place of descriptor `target` of the stopped process. False when that cannot be done.
    public func replace(_ target: Int32, with source: Descriptor, in id: UInt64) -> Bool {
        fracas_notify_set_descriptor(descriptor.raw, id, source.raw, target) >= 0
    }
}
