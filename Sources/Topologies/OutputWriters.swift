import Platform

/// The threads that may be in the call that has put out a line: those of the process whose stream it is, and of what it has made that
/// shares it.
public struct OutputWriters {
    private struct Writer {
        let process: Int32
        let thread: Int32
        /// How long it had run when it was seen running, in nanoseconds.
        var ran: Int64?
    }

    private let streams: Set<String>
    private var writers: [Writer]
    /// A thread that was running and has run for so long since has left a call that writes a line. The kernel tells by the tick.
    private static let longestCall: Int64 = 1_000_000
    private static let mostThreads = 128

    /// Those of a process, which has just put out a line.
    public init(of process: TrackedProcess, in table: ProcessTable) {
        streams = Set(process.streams.values)
        let sharing = table.all.filter { other in
            other === process || (!other.hasExited && other.role == nil && table.nearestRole(of: other) == process.role)
        }
        writers = sharing.flatMap { one in
            ProcFile.numbers("/proc/\(one.hostPid)/task").prefix(Self.mostThreads).map {
                Writer(process: one.hostPid, thread: $0)
            }
        }
    }

    /// Whether none of them is in a call any more that it was in at the first look.
    public mutating func haveLeft() -> Bool {
        writers = writers.compactMap { writer in
            var writer = writer
            return isGone(&writer) ? nil : writer
        }
        return writers.isEmpty
    }

    private func isGone(_ writer: inout Writer) -> Bool {
        let place = "/proc/\(writer.process)/task/\(writer.thread)"
        guard let stat = ProcFile.text("\(place)/stat"), let end = stat.lastIndex(of: ")"),
            let state = stat[end...].dropFirst(2).first
        else { return true }
        if state == "R" {
            guard let ran = ProcessorUse.share(process: writer.process, thread: writer.thread)?.ran else {
                return false
            }
            guard let before = writer.ran else {
                writer.ran = ran
                return false
            }
            return ran - before >= Self.longestCall
        }
        let words = (ProcFile.text("\(place)/syscall") ?? "").split { $0 == " " || $0 == "\n" }
        guard let call = words.first.flatMap({ Int32($0) }).flatMap({ CallNames.name(of: $0) }) else {
            // It runs by now.
            return words.first != "running"
        }
        guard ["write", "writev", "pwrite64", "sendfile", "splice"].contains(call), words.count > 1,
            let number = UInt64(words[1].dropFirst(2), radix: 16),
            let link = ProcFile.link("/proc/\(writer.process)/fd/\(number)"), streams.contains(link)
        else { return true }
        // Another call, which the gate has stopped before it began.
        return ProcFile.text("\(place)/wchan")?.contains("seccomp") ?? false
    }
}
