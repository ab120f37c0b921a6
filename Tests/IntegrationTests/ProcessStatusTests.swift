import Platform
import Testing

/// What /proc says of processes, as it is read.
@Suite("Process status")
struct ProcessStatusTests {
    private func status(_ ids: String) -> [UInt8] {
        Array("Name:\tx 9\nTgid:\t4711\nPid:\t4712\nPPid:\t4000\nNStgid:\t4711\t6\t1\nNSpid:\t\(ids)\n".utf8)
    }

    @Test func anIdIsThatOfTheNamespaceThatIsAskedFor() throws {
        let nested = try #require(ProcessStatus(parsing: status("4712\t7\t2"), level: 1))
        #expect((nested.group, nested.parent, nested.innerThread, nested.depth) == (4711, 4000, 7, 2))
        #expect(ProcessStatus(parsing: status("4712\t7\t2"), level: 2)?.innerThread == 2)
        #expect(ProcessStatus(parsing: status("4712\t7"), level: 1)?.innerThread == 7)
        #expect(ProcessStatus(parsing: status("4712\t7"), level: 0)?.innerThread == 4712)
        #expect(ProcessStatus(parsing: Array("Name:\tx\nTgid:\t1\n".utf8), level: 1) == nil)
    }

    private func stat(_ name: String, state: String, flags: Int, threads: Int, exit: Int) -> [UInt8] {
        var fields = Array(repeating: "0", count: 50)
        (fields[0], fields[6], fields[17], fields[19]) = (state, String(flags), String(threads), "815")
        fields[49] = String(exit)
        return Array("42 (\(name)) \(fields.joined(separator: " "))\n".utf8)
    }

    @Test func aProcessHasEndedWithItsLastThread() throws {
        let dead = try #require(ProcessStat(parsing: stat("a) Z (b", state: "Z", flags: 0x40, threads: 1, exit: 768)))
        #expect(dead.hasEnded && !dead.hasExecuted && dead.name == "a) Z (b" && dead.birth == 815)
        #expect(dead.exitStatus == 768)
        let leader = try #require(ProcessStat(parsing: stat("a", state: "Z", flags: 0, threads: 2, exit: 0)))
        #expect(!leader.hasEnded && leader.hasExecuted)
        #expect(ProcessStat(parsing: stat("a", state: "S", flags: 0, threads: 1, exit: 0))?.hasEnded == false)
        #expect(ProcessStat(parsing: Array("42 (cut) S 1".utf8)) == nil)
    }
}
