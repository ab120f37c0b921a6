import Glibc

/// What a thread goes back to when its signal handler is done: the registers that `rt_sigreturn(2)` will restore, on its stack.
///
/// The layout is x86-64's `struct rt_sigframe` of the kernel's `arch/x86/include/asm/sigframe.h`: a `ucontext`, in it a `sigcontext_64`.
public struct SignalFrame: Sendable {
    /// The address of its `ucontext`.
    public let address: UInt64
    /// The register that a call is made with and that it is answered in.
    public let rax: Int64
    /// Where the thread goes on.
    public let rip: UInt64
    /// What `syscall` leaves the address behind it in.
    public let rcx: UInt64
    /// The first four arguments of a call.
    public let arguments: (UInt64, UInt64, UInt64, UInt64)

    private enum Offset {
        static let (r10, rdi, rsi, rdx) = (56, 104, 112, 136)
        static let (rax, rcx, rip, end) = (144, 152, 168, 176)
    }

    /// Reads it; nil when that cannot be done.
    /// - Parameter thread: one that is stopped in `rt_sigreturn(2)`.
    public init?(ofReturning thread: Int32) {
        // "15 0x… (six arguments) 0x<stack pointer> 0x<instruction pointer>", proc_pid_syscall(5).
        guard let words = ProcFile.text("/proc/\(thread)/syscall")?.split(whereSeparator: { " \n".contains($0) }),
            words.count == 9, let stack = UInt64(words[7].dropFirst(2), radix: 16)
        else { return nil }
        self.init(of: thread, at: stack)
    }

    /// Reads a frame at an address in a thread's memory.
    init?(of thread: Int32, at stack: UInt64) {
        guard let bytes = try? ProcFile.memory(of: thread, at: stack, length: Offset.end), bytes.count == Offset.end
        else {
            return nil
        }
        func word(_ offset: Int) -> UInt64 {
            bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: UInt64.self) }
        }
        address = stack
        rax = Int64(bitPattern: word(Offset.rax))
        rip = word(Offset.rip)
        rcx = word(Offset.rcx)
        arguments = (word(Offset.rdi), word(Offset.rsi), word(Offset.rdx), word(Offset.r10))
    }

    /// Has the thread make a call with this number when it goes on, as if it had not made it yet: one that was broken off.
    /// - Returns: whether that could be written.
    public func begin(call: Int32, again thread: Int32) -> Bool {
        let number = withUnsafeBytes(of: Int64(call).littleEndian) { Array($0) }
        let place = withUnsafeBytes(of: (rip - 2).littleEndian) { Array($0) }
        return ProcFile.write(number, to: thread, at: address + UInt64(Offset.rax))
            && ProcFile.write(place, to: thread, at: address + UInt64(Offset.rip))
    }
}
