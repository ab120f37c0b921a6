/// How much of the processors the threads of a process have had, `/proc/<process>/task/<thread>/schedstat`.
public struct ProcessorUse: Sendable, Equatable {
    /// Of one thread.
    public struct Share: Sendable, Equatable {
        /// How long it ran, in nanoseconds.
        public var ran: Int64
        /// How long it was ready to run and had no processor.
        public var queued: Int64
    }

    /// By thread.
    public private(set) var threads: [Int32: Share] = [:]
    private static let mostThreads = 128

    /// Looks at a process's threads; those beyond the first hundred or so are left out.
    public init(of process: Int32) {
        for thread in ProcFile.numbers("/proc/\(process)/task").prefix(Self.mostThreads) {
            threads[thread] = Self.share(process: process, thread: thread)
        }
    }

    /// That of one thread; nil when it is gone, or this kernel does not tell.
    public static func share(process: Int32, thread: Int32) -> Share? {
        let words = ProcFile.text("/proc/\(process)/task/\(thread)/schedstat")?.split(separator: " ") ?? []
        guard words.count >= 2, let ran = Int64(words[0]), let queued = Int64(words[1]) else { return nil }
        return Share(ran: ran, queued: queued)
    }

    /// What has come to it since an earlier look: all that its threads ran, and how long the one was queued that was so for longest.
    public func since(_ before: ProcessorUse?) -> (ran: Int64, queued: Int64) {
        var (ran, queued): (Int64, Int64) = (0, 0)
        for (thread, now) in threads {
            let then = before?.threads[thread]
            ran += now.ran - (then?.ran ?? 0)
            queued = max(queued, now.queued - (then?.queued ?? 0))
        }
        return (ran, queued)
    }
}
