/// A signal, by its number on Linux; written by its name (`KILL`, `SIGKILL`) or its number.
public struct Signal: Codable, Sendable, Hashable, CustomStringConvertible {
    /// The number.
    public let number: Int32

    /// The signal with this number; nil when it is not one (1…64).
    public init?(number: Int32) {
        guard (1...64).contains(number) else { return nil }
        self.number = number
    }

    private init(known number: Int32) { self.number = number }

    /// Parses `TERM`, `SIGTERM` or `15`; nil when `text` names no signal.
    public init?(parsing text: String) {
        if let number = Int32(text) {
            self.init(number: number)
            return
        }
        let upper = text.uppercased()
        let bare = upper.hasPrefix("SIG") ? String(upper.dropFirst(3)) : upper
        guard let index = Self.names.firstIndex(of: bare) else { return nil }
        self.init(number: Int32(index) + 1)
    }

    /// Whether a process can do something about it: about SIGKILL and SIGSTOP it cannot (`signal(7)`).
    public var canBeCaught: Bool { ![Signal.kill, Signal.stop].contains(self) }

    /// Every signal that has a name, without `SIG`, in the order of their numbers from 1 (x86-64 and arm64).
    public static let names = [
        "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM",
        "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF",
        "WINCH", "IO", "PWR", "SYS",
    ]

    /// `SIGABRT`: Python's faulthandler answers it with the stacks of all threads.
    public static let abort = Signal(known: 6)
    /// `SIGKILL`.
    public static let kill = Signal(known: 9)
    /// `SIGPIPE`: ends who writes where nobody can read any more.
    public static let pipe = Signal(known: 13)
    /// `SIGTERM`.
    public static let terminate = Signal(known: 15)
    /// `SIGCONT`.
    public static let resume = Signal(known: 18)
    /// `SIGSTOP`.
    public static let stop = Signal(known: 19)

    /// `SIGTERM`; `signal 40` for one without a name.
    public var description: String {
        number <= Self.names.count ? "SIG\(Self.names[Int(number) - 1])" : "signal \(number)"
    }

    /// Reads a name or a number.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let signal = Signal(parsing: text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "'\(text)' is not a signal")
        }
        self = signal
    }

    /// Writes the name, or the number where there is none.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(number <= Self.names.count ? description : String(number))
    }
}

/// An error of a system call, by its symbolic name: `EPIPE`.
public struct ErrorName: Codable, Sendable, Hashable, CustomStringConvertible {
    /// The symbolic name.
    public let name: String
    /// The number on Linux.
    public let number: Int32

    /// The error with this symbolic name; nil when Linux has none.
    public init?(parsing text: String) {
        guard let number = Self.numbers[text.uppercased()] else { return nil }
        self.name = text.uppercased()
        self.number = number
    }

    /// The numbers of `errno(3)` on x86-64 and arm64 that a system call may answer with.
    public static let numbers: [String: Int32] = [
        "EPERM": 1, "ENOENT": 2, "ESRCH": 3, "EINTR": 4, "EIO": 5, "ENXIO": 6, "E2BIG": 7, "ENOEXEC": 8, "EBADF": 9,
        "ECHILD": 10, "EAGAIN": 11, "EWOULDBLOCK": 11, "ENOMEM": 12, "EACCES": 13, "EFAULT": 14, "EBUSY": 16,
        "EEXIST": 17, "EXDEV": 18, "ENODEV": 19, "ENOTDIR": 20, "EISDIR": 21, "EINVAL": 22, "ENFILE": 23,
        "EMFILE": 24, "ENOTTY": 25, "ETXTBSY": 26, "EFBIG": 27, "ENOSPC": 28, "ESPIPE": 29, "EROFS": 30,
        "EMLINK": 31, "EPIPE": 32, "EDEADLK": 35, "ENAMETOOLONG": 36, "ENOSYS": 38, "ENOTEMPTY": 39, "ELOOP": 40,
        "EPROTO": 71, "EOVERFLOW": 75, "ENOTSOCK": 88, "EMSGSIZE": 90, "EADDRINUSE": 98, "EADDRNOTAVAIL": 99,
        "ENETDOWN": 100, "ENETUNREACH": 101, "ECONNABORTED": 103, "ECONNRESET": 104, "ENOBUFS": 105,
        "ENOTCONN": 107, "ETIMEDOUT": 110, "ECONNREFUSED": 111, "EHOSTUNREACH": 113, "EALREADY": 114,
        "EINPROGRESS": 115, "EDQUOT": 122,
    ]

    /// The symbolic name.
    public var description: String { name }

    /// Reads a symbolic name.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let error = ErrorName(parsing: text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "'\(text)' is not an errno name")
        }
        self = error
    }

    /// Writes the symbolic name.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(name)
    }
}
