/// Which of a listener's calls were received, and which were not.
///
/// The kernel numbers the calls that it stops one after the other, `seccomp_unotify(2)`. A signal breaks off a call that has stopped
/// and that nobody has received yet; its number is then never handed out: what was missed is known from the gaps.
///
/// Unchecked because it belongs to a trial's state: it is used under the trial's lock only.
final class CallSequence: @unchecked Sendable {
    private static let mostOpen = 64

    private var first: UInt64?
    private var next: UInt64 = 0
    private var received = 0
    /// Numbers that were skipped and have not come since, the oldest first: another thread may have received one and wait for the lock.
    private var open: [UInt64] = []

    /// Makes one for a new listener.
    init() { open.reserveCapacity(Self.mostOpen) }

    /// How many calls were broken off before they were received, as far as is known now: what is still under way counts too.
    var missed: Int { first.map { Int(truncatingIfNeeded: next &- $0) - received } ?? 0 }

    /// Notes a call that was received.
    func receive(_ id: UInt64) {
        received += 1
        if id == next { return next &+= 1 }
        guard first != nil else { return (first, next) = (id, id &+ 1) }
        if id > next { skip(to: id) } else { open.removeAll { $0 == id } }
    }

    private func skip(to id: UInt64) {
        // Far more at once than can be were another sequence's; the count of them all is kept in any case.
        let begin = max(next, id - min(id, UInt64(Self.mostOpen)))
        for number in begin..<id {
            if open.count == Self.mostOpen { open.removeFirst() }
            open.append(number)
        }
        next = id &+ 1
    }

    /// Whether calls were broken off, of which it is not known yet what became of them.
    var hasOpen: Bool { !open.isEmpty }

    /// Takes one that was broken off after this call: whose it was is known now.
    /// - Returns: whether there was any.
    func settle(after id: UInt64) -> Bool {
        guard let place = open.firstIndex(where: { $0 > id }) else { return false }
        open.remove(at: place)
        return true
    }
}
