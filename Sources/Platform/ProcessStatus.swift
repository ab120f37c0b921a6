import Glibc

/// What `/proc/<thread>/status` says of a thread's place among processes, `proc(5)`. Read at every birth, so without the detour
/// by strings.
public struct ProcessStatus: Sendable, Equatable {
    /// The process the thread belongs to, in our own pid namespace.
    public let group: Int32
    /// Its parent process, likewise.
    public let parent: Int32
    /// The thread's id in the pid namespace that was asked for.
    public let innerThread: Int32
    /// How many pid namespaces below our own the thread's own one is.
    public let depth: Int

    /// Reads it; nil when the thread is gone. `level` is how many pid namespaces below our own the one is whose id is meant: a thread
    /// has an id in each from ours to its own.
    public init?(of thread: Int32, level: Int) {
        guard let bytes = ProcFile.bytes("/proc/\(thread)/status") else { return nil }
        self.init(parsing: bytes, level: level)
    }

    /// Parses the text of such a file; nil when a field is missing.
    public init?(parsing bytes: [UInt8], level: Int) {
        var group: Int32?
        var parent: Int32?
        var rest = bytes[...]
        while !rest.isEmpty {
            let end = rest.firstIndex(of: UInt8(ascii: "\n")) ?? rest.endIndex
            let line = rest[..<end]
            rest = rest[end...].dropFirst()
            guard let first = line.first, Self.initials.contains(first) else { continue }
            if line.starts(with: "Tgid:".utf8) {
                group = Self.numbers(line).last
            } else if line.starts(with: "PPid:".utf8) {
                parent = Self.numbers(line).last
            } else if line.starts(with: "NSpid:".utf8) {
                let ids = Self.numbers(line)
                guard let group, let parent, let last = ids.last else { return nil }
                self.group = group
                self.parent = parent
                innerThread = ids.indices.contains(level) ? ids[level] : last
                depth = ids.count - 1
                return
            }
        }
        return nil
    }

    /// What the lines that count begin with.
    private static let initials = "TPN".utf8

    /// The numbers of a line.
    private static func numbers(_ line: ArraySlice<UInt8>) -> [Int32] {
        var found: [Int32] = []
        var isInNumber = false
        for byte in line {
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else {
                isInNumber = false
                continue
            }
            let digit = Int32(byte - UInt8(ascii: "0"))
            if isInNumber, let last = found.last {
                found[found.count - 1] = last &* 10 &+ digit
            } else {
                found.append(digit)
            }
            isInNumber = true
        }
        return found
    }
}

/// What `/proc/<process>/stat` says of a process, `proc_pid_stat(5)`. It is there until the process was waited for.
public struct ProcessStat: Sendable, Equatable {
    /// The first 15 bytes of its program's name, or what it calls itself.
    public let name: String
    /// The state letter of its first thread.
    public let state: Character
    /// Whether its memory is that of a program it has executed, and not its parent's.
    public let hasExecuted: Bool
    /// How many threads it has.
    public let threads: Int
    /// When it was born, in clock ticks since the host's start: with its id it names the process for good.
    public let birth: UInt64
    /// How it ended, as `wait(2)` gives it; 0 for one that lives, and for a reader who is not permitted to know.
    public let exitStatus: Int32

    /// Whether it has ended: its last thread has, whether or not it was waited for.
    public var hasEnded: Bool { (state == "Z" || state == "X") && threads <= 1 }

    /// Reads it; nil when the process is gone.
    public init?(of process: Int32) {
        guard let bytes = ProcFile.bytes("/proc/\(process)/stat") else { return nil }
        self.init(parsing: bytes)
    }

    /// Parses the text of such a file; nil when it is none.
    public init?(parsing bytes: [UInt8]) {
        // The name may contain anything, even ") R": the rest follows its last parenthesis.
        guard let open = bytes.firstIndex(of: UInt8(ascii: "(")), let close = bytes.lastIndex(of: UInt8(ascii: ")")),
            open < close
        else { return nil }
        let fields = bytes[(close + 1)...].split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") }
        func number<Number: FixedWidthInteger>(_ field: Int) -> Number? {
            Number(String(decoding: fields[field], as: UTF8.self))
        }
        guard fields.count > 49, let state = fields[0].first, let flags: UInt32 = number(6),
            let threads: Int = number(17), let birth: UInt64 = number(19), let exit: Int32 = number(49)
        else { return nil }
        name = String(decoding: bytes[(open + 1)..<close], as: UTF8.self)
        self.state = Character(UnicodeScalar(state))
        hasExecuted = flags & Self.forkedWithoutExec == 0
        self.threads = threads
        self.birth = birth
        exitStatus = exit
    }

    /// `PF_FORKNOEXEC`.
    private static let forkedWithoutExec: UInt32 = 0x40
}

/// Tells the program in a process's memory from any that comes after it, be it the same file once more: by what the kernel handed to
/// it at its start, with the bytes drawn at random among that, `getauxval(3)`. A fork has its parent's.
public struct ProcessImage: Sendable, Equatable {
    private let start: [UInt8]

    /// Looks at a process; nil when it is gone, or may not be looked at.
    public init?(of process: Int32) {
        guard let vector = ProcFile.bytes("/proc/\(process)/auxv"), !vector.isEmpty else { return nil }
        start = vector + Self.drawn(vector, process)
    }

    private static let randomBytes: UInt64 = 25

    private static func drawn(_ vector: [UInt8], _ process: Int32) -> [UInt8] {
        func word(_ place: Int) -> UInt64 { vector[place..<place + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) } }
        for place in stride(from: 0, to: vector.count - 15, by: 16) where word(place) == randomBytes {
            return (try? ProcFile.memory(of: process, at: word(place + 8), length: 16)) ?? []
        }
        return []
    }
}

extension ProcessHandle {
    /// Whether the process has ended: its last thread has, whether or not it was waited for.
    public var hasEnded: Bool { descriptor.isReady(forWriting: false) }

    /// How a process ended that nobody has waited for yet; nil where that cannot be known.
    /// - Parameter pid: its id in our own pid namespace.
    public func unreapedStatus(_ pid: Int32) -> Int32? {
        // Whoever may follow this link is told the truth; others read a 0.
        guard let stat = ProcessStat(of: pid), stat.hasEnded, ProcFile.link("/proc/\(pid)/ns/user") != nil,
            self.pid() == pid
        else { return nil }
        return stat.exitStatus
    }
}
