/// What a thread waits for in the kernel, as `/proc/<process>/task/<thread>` tells, `proc(5)`.
public struct ThreadWait: Sendable, Equatable {
    /// The thread, in our own pid namespace.
    public let thread: Int32
    /// The system call that it sleeps in.
    public let call: String
    /// The call's arguments.
    public let arguments: [UInt64]
    /// How often it has gone off a processor, for whatever reason: unchanged from one look to the next it slept all the time between.
    public let switches: Int

    /// What a look at a thread shows.
    public enum Look: Sendable, Equatable {
        /// It is gone, or a leader that has ended before others of its process.
        case ended
        /// It sleeps in a call, with nothing to do until something comes.
        case waits(ThreadWait)
        /// Something else: it runs, is stopped, traced or frozen, or somebody who filters calls has not decided its own.
        case other
    }

    /// Looks at a thread.
    public static func look(process: Int32, thread: Int32) -> Look {
        let place = "/proc/\(process)/task/\(thread)"
        guard let status = ProcFile.text("\(place)/status") else { return .ended }
        guard let state = ProcFile.field("State:", in: status)?.first else { return .other }
        if state == "Z" || state == "X" { return .ended }
        guard state == "S",
            let voluntary = ProcFile.field("voluntary_ctxt_switches:", in: status).flatMap({ Int($0) }),
            let forced = ProcFile.field("nonvoluntary_ctxt_switches:", in: status).flatMap({ Int($0) }),
            // A call that a filter stopped looks as if it were under way.
            let wait = ProcFile.text("\(place)/wchan"), !Self.isStopped(in: wait),
            let line = ProcFile.text("\(place)/syscall")
        else { return .other }
        let words = line.split { $0 == " " || $0 == "\n" }
        guard words.count >= 7, let call = Int32(words[0]).flatMap({ CallNames.name(of: $0) }) else { return .other }
        let arguments = words[1...6].compactMap { UInt64($0.dropFirst(2), radix: 16) }
        guard arguments.count == 6 else { return .other }
        return .waits(
            ThreadWait(thread: thread, call: call, arguments: arguments, switches: voluntary + forced))
    }

    private static func isStopped(in wait: String) -> Bool {
        // "0": this kernel does not tell.
        wait == "0" || wait.isEmpty || ["seccomp", "freezer", "ptrace"].contains(where: wait.contains)
    }

    /// Makes one, as a look would.
    public init(thread: Int32, call: String, arguments: [UInt64], switches: Int) {
        self.thread = thread
        self.call = call
        self.arguments = arguments
        self.switches = switches
    }

    /// What can end a wait.
    public enum End: Sendable, Equatable {
        /// An act of another thread: a futex of its own process, a signal, the end of a child.
        case anotherThread
        /// An act of whoever has the memory at this address: a futex that processes may share.
        case memory(UInt64)
        /// Something at one of these descriptors, by their numbers in the process. `isDirect` where the call is on the one itself, so that
        /// time limits of its own count.
        case descriptors([Int32], isDirect: Bool)
        /// Time; or it is a call of which this is not known.
        case itself
    }

    /// What can end it. Memory of the process is read where a call's arguments only point at the descriptors.
    public func end(in process: Int32) -> End {
        switch call {
        case "futex": Self.futex(arguments)
        case "wait4", "waitid", "pause", "rt_sigsuspend": .anotherThread
        case "rt_sigtimedwait": arguments[2] == 0 ? .anotherThread : .itself
        case "read", "readv", "write", "writev", "recvfrom", "recvmsg", "sendto", "sendmsg", "accept", "accept4":
            .descriptors([descriptor], isDirect: true)
        case "epoll_wait", "epoll_pwait":
            Int32(truncatingIfNeeded: arguments[3]) < 0 ? .descriptors([descriptor], isDirect: false) : .itself
        case "epoll_pwait2": arguments[3] == 0 ? .descriptors([descriptor], isDirect: false) : .itself
        case "poll": Int32(truncatingIfNeeded: arguments[2]) < 0 ? polled(in: process) : .itself
        case "ppoll": arguments[2] == 0 ? polled(in: process) : .itself
        case "select", "pselect6": arguments[4] == 0 ? selected(in: process) : .itself
        default: .itself
        }
    }

    /// The descriptors at which it waits for something, be it with a time limit; what an epoll watches by the numbers that it was given.
    public func watched(in process: Int32) -> [Int32] {
        switch call {
        case "accept", "accept4": return [descriptor]
        case "poll", "ppoll": if case .descriptors(let numbers, _) = polled(in: process) { return numbers }
        case "select", "pselect6": if case .descriptors(let numbers, _) = selected(in: process) { return numbers }
        case "epoll_wait", "epoll_pwait", "epoll_pwait2":
            let text = ProcFile.text("/proc/\(process)/fdinfo/\(descriptor)") ?? ""
            return text.split(separator: "\n").compactMap { line in
                guard line.hasPrefix("tfd:") else { return nil }
                return line.dropFirst(4).split(separator: " ").first.flatMap { Int32($0) }
            }
        default: break
        }
        return []
    }

    private var descriptor: Int32 { Int32(truncatingIfNeeded: arguments[0]) }

    /// `futex(2)`: without a time limit the waits of `FUTEX_WAIT`, `_LOCK_PI`, `_WAIT_BITSET`, `_WAIT_REQUEUE_PI`, `_LOCK_PI2`.
    private static func futex(_ arguments: [UInt64]) -> End {
        let (isPrivate, realTime): (UInt64, UInt64) = (128, 256)
        guard futexWaits.contains(arguments[1] & 0xFFFF_FFFF & ~(isPrivate | realTime)), arguments[3] == 0 else {
            return .itself
        }
        return arguments[1] & isPrivate != 0 ? .anotherThread : .memory(arguments[0])
    }

    private static let futexWaits: [UInt64] = [0, 6, 9, 11, 13]

    private static let mostDescriptors: UInt64 = 1024

    /// The descriptors of an array of `struct pollfd`; those below 0 are left out, `poll(2)`.
    private func polled(in process: Int32) -> End {
        let count = arguments[1] & 0xFFFF_FFFF
        guard count <= Self.mostDescriptors,
            let bytes = try? ProcFile.memory(of: process, at: arguments[0], length: Int(count) * 8),
            bytes.count == Int(count) * 8
        else { return .itself }
        let numbers = stride(from: 0, to: bytes.count, by: 8).map { place in
            Int32(bitPattern: bytes[place..<place + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) })
        }
        return .descriptors(numbers.filter { $0 >= 0 }, isDirect: false)
    }

    /// The descriptors in up to three bit sets, `select(2)`.
    private func selected(in process: Int32) -> End {
        let count = arguments[0] & 0xFFFF_FFFF
        guard count <= Self.mostDescriptors else { return .itself }
        var numbers: Set<Int32> = []
        for address in arguments[1...3] where address != 0 {
            let length = Int(count + 63) / 64 * 8
            guard let bytes = try? ProcFile.memory(of: process, at: address, length: length), bytes.count == length
            else { return .itself }
            for number in 0..<Int(count) where bytes[number / 8] >> UInt8(number % 8) & 1 == 1 {
                numbers.insert(Int32(number))
            }
        }
        return .descriptors(numbers.sorted(), isDirect: false)
    }
}
