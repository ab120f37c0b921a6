import Platform
import Scenarios

/// What calls change that work on no descriptor and no path: which signals come and what they do, and which descriptors of a span
/// are closed. Only looked at for points that ask for it.
struct CallEffects {
    /// The signals that a shutdown is made of: requests, what tells of a child's end, and what programs tell each other by.
    private static let signals = ["TERM", "INT", "HUP", "QUIT", "CHLD", "USR1", "USR2"].compactMap(
        Signal.init(parsing:))
    /// The C library's own signals, 32 and 33. Its functions block them only while they are at work themselves.
    private static let librarys: UInt64 = 3 << 31

    private let setMask = CallNames.number(of: "rt_sigprocmask") ?? -1
    private let setAction = CallNames.number(of: "rt_sigaction") ?? -1
    private let control = CallNames.number(of: "prctl") ?? -1
    private let closeRange = CallNames.number(of: "close_range") ?? -1

    /// Whether a call changes anything; true for every call of which nothing is known.
    func isEffective(_ call: StoppedCall) -> Bool {
        switch call.call {
        case setMask, setAction, control: object(of: call) != nil
        case closeRange: closesAny(call)
        default: true
        }
    }

    /// What a call changes, for people and for finding calls that change the same; nil when that is nothing, or not known.
    func object(of call: StoppedCall) -> String? {
        switch call.call {
        case setMask: maskChange(call)
        case setAction: action(call)
        // PR_SET_PDEATHSIG: whether a process outlives its parent.
        case control: call.arguments.0 & 0xFFFF_FFFF == 1 ? "PR_SET_PDEATHSIG" : nil
        default: nil
        }
    }

    /// Which of the signals come from now on, and which do not any more.
    private func maskChange(_ call: StoppedCall) -> String? {
        guard let set = word(call.thread, at: call.arguments.1),
            let status = ProcFile.text("/proc/\(call.thread)/status"),
            let text = ProcFile.field("SigBlk:", in: status), let old = UInt64(text, radix: 16),
            (old | set) & Self.librarys == 0
        else { return nil }
        let (how, new): (String, UInt64)
        switch call.arguments.0 & 0xFFFF_FFFF {
        case 0: (how, new) = ("SIG_BLOCK", old | set)
        case 1: (how, new) = ("SIG_UNBLOCK", old & ~set)
        case 2: (how, new) = ("SIG_SETMASK", set)
        default: return nil
        }
        func names(_ bits: UInt64) -> String {
            let signals = Self.signals.filter { bits >> UInt64($0.number - 1) & 1 == 1 }
            return signals.count == Self.signals.count ? "all" : signals.map(\.description).joined(separator: " ")
        }
        let (blocked, opened) = (names(new & ~old), names(old & ~new))
        if blocked.isEmpty, opened.isEmpty { return nil }
        return how + (blocked.isEmpty ? "" : ", blocks \(blocked)") + (opened.isEmpty ? "" : ", opens \(opened)")
    }

    /// What one of the signals does from now on.
    private func action(_ call: StoppedCall) -> String? {
        let number = Int32(truncatingIfNeeded: call.arguments.0)
        guard let signal = Self.signals.first(where: { $0.number == number }),
            let handler = word(call.thread, at: call.arguments.1)
        else { return nil }
        let what =
            switch handler {
            case 0: "default"
            case 1: "ignored"
            default: "handled"
            }
        return "\(signal) \(what)"
    }

    private func closesAny(_ call: StoppedCall) -> Bool {
        let (first, last) = (call.arguments.0 & 0xFFFF_FFFF, call.arguments.1 & 0xFFFF_FFFF)
        return ProcFile.numbers("/proc/\(call.thread)/fd").contains { first <= UInt64($0) && UInt64($0) <= last }
    }

    private func word(_ thread: Int32, at address: UInt64) -> UInt64? {
        guard address != 0, let bytes = try? ProcFile.memory(of: thread, at: address, length: 8), bytes.count == 8
        else {
            return nil
        }
        return bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}
