import CSyscall
public import SystemPackage

/// Signals that this process catches instead of ending by them.
///
/// By handler and not by `sigwait(3)`: the runtime's main thread waits with every signal unblocked, so the kernel would choose
/// it, and the default action would end the process. There can be one such set in a process.
public struct CaughtSignals: Sendable {
    private let arrivals: Descriptor
    private let handlerEnd: Descriptor

    /// Begins to catch these signals.
    /// - Throws: the errno of `pipe2(2)` or `sigaction(2)`.
    public init(_ numbers: [Int32]) throws(Errno) {
        (arrivals, handlerEnd) = try Descriptor.pipe()
        try handlerEnd.setNonBlocking()
        try check(fracas_catch_signals(numbers, Int32(numbers.count), handlerEnd.raw))
    }

    /// Likewise, but not longer than until a time.
    /// - Returns: its number; nil when the time is over.
    public func next(until deadline: Int64) throws(Errno) -> Int32? {
        Wait.forInput(arrivals, until: deadline) ? try next() : nil
    }

    /// Blocks this thread until the next of them arrives.
    /// - Returns: its number.
    /// - Throws: the errno of `read(2)`.
    public func next() throws(Errno) -> Int32 {
        var byte: UInt8 = 0
        while true {
            let count = try withUnsafeMutableBytes(of: &byte) { (buffer) throws(Errno) in
                try arrivals.read(into: buffer)
            }
            if count == 1 { return Int32(byte) }
        }
    }
}
