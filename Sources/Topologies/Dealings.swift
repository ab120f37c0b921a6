public import Evidence
public import Scenarios

/// What a process of a trial has asked of the kernel, and what Fracas has done to it: whether it can go on by itself, and who is to blame
/// for what it does, depends on that.
public struct Dealings {
    /// Whether it has ever set an alarm or a timer, or asked the kernel to do something later: time may then make it go on.
    public var setsTimers = false
    /// In which ways it has done things that no filter sees: an alarm may be among them.
    public var unseen: Set<Unseen.Way> = []
    /// The last signal that a step sent to it.
    public var lastSignal: Signal?
    /// The signals that faults sent to it.
    public var signalsOfFaults: Set<Signal> = []
}

extension TrackedProcess {
    /// Whether something may come to it by itself, which the gate does not see coming.
    public var mayBeWoken: Bool { dealings.setsTimers || !dealings.unseen.isEmpty }

    /// Whether a fault has killed it, or is about to: what it was to do nobody waits for.
    public var isKilledByFault: Bool {
        dealings.signalsOfFaults.contains { !$0.canBeCaught && $0 != .stop }
            || (hasExited && !dealings.signalsOfFaults.isEmpty)
    }
}
