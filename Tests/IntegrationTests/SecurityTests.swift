import Checkers
import Foundation
import Glibc
import Platform
import Reports
import Testing

/// What a target can do to the host, as root and as an ordinary user: docs/SECURITY.md.
@Suite("Security")
struct SecurityTests {
    /// Who runs Fracas.
    enum User: CaseIterable { case ourselves, nobody }

    /// One that everybody may execute.
    private static let python = access("/usr/bin/python3", X_OK) == 0 ? "/usr/bin/python3" : Command.python

    /// Runs a scenario whose target is a Python program, in a directory to which everybody can write.
    private func run(
        _ program: String, as user: User = .ourselves, trials: Int = 1, files: String = "", in directory: String
    ) throws -> RunSummary {
        try program.write(toFile: "\(directory)/target.py", atomically: true, encoding: .utf8)
        try """
        topology:
          processes:
            - {role: p, command: ["${python}", "${here}/target.py", "${here}"]}
        steps: [{start: {ready: false}}, {wait: {exit: p}}]
        expect: {exits: [{roles: p, allow: 0}], forbid: {something touched: "^touched "}}
        \(files)
        """.write(toFile: "\(directory)/s.yaml", atomically: true, encoding: .utf8)
        chmod(directory, 0o777)
        let process = Process()
        let own = [
            Command.program, "run", "s.yaml", "--trials", String(trials), "--jobs", "1", "--format", "json", "--python",
            Self.python,
        ]
        let asNobody = ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        let words = (user == .nobody ? asNobody : []) + own
        process.executableURL = URL(fileURLWithPath: words[0])
        process.arguments = Array(words.dropFirst())
        process.currentDirectoryURL = URL(fileURLWithPath: directory)
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return try JSONDecoder().decode(RunSummary.self, from: data)
    }

    private func withDirectory(_ body: (String) throws -> Void) throws {
        let directory = try Command.temporaryDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try body(directory)
    }

    private static func users() -> [User] { geteuid() == 0 ? User.allCases : [.ourselves] }

    /// Each attempt prints a line when it succeeds.
    private static let attempts = """
        import ctypes, os, socket, sys
        libc = ctypes.CDLL(None, use_errno=True)
        here = sys.argv[1]
        def call(*words): return libc.syscall(*[ctypes.c_long(w) if isinstance(w, int) else w for w in words])
        def opened(path, flags=os.O_WRONLY):
            try: os.close(os.open(path, flags)); return True
            except OSError: return False
        def touched(what, yes):
            if yes: print('touched', what, flush=True)
        for path in ('/proc/sys/kernel/panic', '/proc/sys/kernel/core_pattern', '/proc/sysrq-trigger', '/dev/mem', '/dev/kmsg'):
            touched(path, opened(path))
        touched('disk', any(opened('/dev/' + d, os.O_RDONLY) for d in ('vda', 'sda', 'nvme0n1', 'xvda')))
        touched('init by ptrace', call(101, 0x4206, 1, 0, 0) == 0)
        touched('init by memory', opened('/proc/1/mem', os.O_RDWR))
        pidfd = os.pidfd_open(1)
        touched('descriptors of init', any(call(438, pidfd, n, 0) >= 0 for n in range(64)))
        MS_BIND, MS_REMOUNT, DETACH = 4096, 32, 2
        for path in (b'/tmp', b'/proc', b'/dev', b'/sys', b'/proc/sys'):
            touched(path, libc.umount2(path, DETACH) == 0)
        touched('sys', libc.mount(None, b'/sys', None, MS_BIND | MS_REMOUNT, None) == 0)
        touched('settings', libc.mount(None, b'/proc/sys', None, MS_BIND | MS_REMOUNT, None) == 0)
        os.makedirs('/tmp/m', exist_ok=True)
        touched('devices', libc.mount(b'x', b'/tmp/m', b'devtmpfs', 0, None) == 0)
        for number in (8, 254): touched('device', call(133, b'/tmp/d%d' % number, 0o60600, number << 8) == 0)
        touched('clock', call(227, 0, ctypes.byref((ctypes.c_long * 2)(1, 1))) == 0)
        s = socket.socket(socket.AF_UNIX)
        touched('socket', s.connect_ex(here + '/socket') == 0)
        touched('cgroup', any(os.path.exists(p) for p in ('/sys/fs/cgroup/cgroup.procs', '/sys/fs/cgroup/unified/cgroup.procs')))
        os.rmdir('/tmp/m')
        try: socket.sethostname('touched')
        except OSError: pass
        for path in (here + '/file', '/run/fracas-touched', '/var/lib/fracas-touched', '/etc/fracas-touched'):
            try: open(path, 'w').write('changed')
            except OSError: pass
        """

    @Test(arguments: users())
    func nothingOfTheHostIsTouched(user: User) throws {
        try withDirectory { directory in
            try "as it was".write(toFile: "\(directory)/file", atomically: true, encoding: .utf8)
            chmod("\(directory)/file", 0o666)
            let listener = try listen(at: "\(directory)/socket")
            let name = ProcessInfo.processInfo.hostName
            let summary = try run(Self.attempts, as: user, in: directory)
            #expect(summary.verdict == .held, "\(summary)")
            let found1 = try String(contentsOfFile: "\(directory)/file", encoding: .utf8)
            #expect(found1 == "as it was")
            for place in ["run", "var/lib", "etc"] { #expect(access("/\(place)/fracas-touched", F_OK) != 0) }
            #expect(ProcessInfo.processInfo.hostName == name)
            withExtendedLifetime(listener) {}
        }
    }

    /// A socket of the host's to which everybody can connect.
    private func listen(at path: String) throws -> Descriptor {
        let listener = Descriptor(owning: socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0))
        var address = sockaddr_un()
        address.sun_family = UInt16(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener.raw, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(bound == 0 && Glibc.listen(listener.raw, 8) == 0 && chmod(path, 0o777) == 0)
        return listener
    }

    /// Writes to a file of the host's as a daemon does that keeps its lock there; the next one finds it.
    private static let locks = """
        import os, sys
        os.mkdir(sys.argv[1] + '/lock')
        """

    /// What a trial writes is gone with it, so none disturbs the next; only what the scenario lists stays.
    @Test(arguments: users())
    func trialsShareOnlyWhatIsListed(user: User) throws {
        try withDirectory { directory in
            let found2 = try run(Self.locks, as: user, trials: 2, in: directory).verdict
            #expect(found2 == .held)
            #expect(access("\(directory)/lock", F_OK) != 0)
            let shared = "files: {writable: [\"${here}\"]}"
            let found3 = try run(Self.locks, as: user, trials: 2, files: shared, in: directory).verdict
            #expect(found3 == .violated)
            #expect(access("\(directory)/lock", F_OK) == 0)
            rmdir("\(directory)/lock")
            let nowhere = try run(Self.locks, as: user, files: "files: {writable: [\"${here}/no\"]}", in: directory)
            #expect(nowhere.verdict == .inconclusive)
        }
    }

    /// A directory that is to be empty does not show what the host has in it, and takes what is written.
    @Test(arguments: users())
    func directoryIsEmptyOnRequest(user: User) throws {
        try withDirectory { directory in
            mkdir("\(directory)/state", 0o777)
            try "x".write(toFile: "\(directory)/state/old", atomically: true, encoding: .utf8)
            let program = """
                import os, sys
                state = sys.argv[1] + '/state'
                if os.listdir(state): print('touched', os.listdir(state))
                open(state + '/new', 'w')
                """
            let empty = "files: {empty: [\"${here}/state\"]}"
            let found4 = try run(program, as: user, files: empty, in: directory).verdict
            #expect(found4 == .held)
            let found5 = try run(program, as: user, in: directory).verdict
            #expect(found5 == .violated)
            let found6 = try FileManager.default.contentsOfDirectory(atPath: "\(directory)/state")
            #expect(found6 == ["old"])
        }
    }

    /// A target has namespaces of its own as before: what makes and fills them is no attack.
    @Test(.enabled(if: geteuid() == 0, "only root may without a user namespace"))
    func namespacesWithinATrialWork() throws {
        try withDirectory { directory in
            let program = """
                import os, subprocess
                shown = subprocess.run(['unshare', '-pf', '--mount-proc', 'ls', '/proc'], capture_output=True, text=True)
                numbers = [n for n in shown.stdout.split() if n.isdigit()]
                if numbers != ['1']: print('touched', shown)
                subprocess.run(['unshare', '-m', 'mount', '-t', 'tmpfs', 'none', '/srv'], check=True)
                os.setgroups([65534]); os.setgid(65534); os.setuid(65534)
                """
            let found7 = try run(program, in: directory).verdict
            #expect(found7 == .held)
        }
    }

    /// Who receives is told by the kernel who has sent, whatever the message says.
    @Test func senderIsNamed() throws {
        let (ours, theirs) = try PacketSocket.pair()
        try ours.nameSenders()
        try theirs.send(7)
        guard case .message(7, _, let sender) = try ours.receive(0) else { throw Complaint() }
        #expect(sender == getpid())
        try ours.send(8)
        guard case .message(8, _, 0) = try theirs.receive(0) else { throw Complaint() }
    }

    private struct Complaint: Error {}
}
