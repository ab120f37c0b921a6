import Platform
import Scenarios

/// The numbers of the calls the gate itself knows, resolved once.
struct CallNumbers {
    let write = CallNames.number(of: "write") ?? -1
    let writev = CallNames.number(of: "writev") ?? -1
    let exit = CallNames.number(of: "exit_group") ?? -1
    /// Calls a C library makes first in a new process, thread or program.
    let announcing: [Int32]
    /// Calls that put another program in place of the caller's.
    let executing: [Int32]
    private let writing: Set<Int32>

    init() {
        announcing = ["set_tid_address", "set_robust_list"].compactMap { CallNames.number(of: $0) }
        executing = ["execve", "execveat"].compactMap { CallNames.number(of: $0) }
        let names = [
            "write", "writev", "pwrite64", "pwritev", "pwritev2", "sendto", "sendmsg", "sendmmsg", "splice", "sendfile",
            "vmsplice", "tee",
        ]
        writing = Set(names.compactMap { CallNames.number(of: $0) })
    }

    /// Whether a call on a channel writes to it; every other call is taken as the reader's.
    func isWrite(_ call: Int32) -> Bool { writing.contains(call) }

    /// The calls at which a fault with this trigger can fire.
    func numbers(for trigger: Fault.Trigger) -> [Int32] {
        guard case .point(let point) = trigger else { return [] }
        switch point.place {
        case .call(let name), .channel(_, let name): return CallNames.number(of: name).map { [$0] } ?? []
        case .line: return [write, writev]
        }
    }
}
