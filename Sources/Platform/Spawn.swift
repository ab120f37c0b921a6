import CSyscall
import Glibc
public import SystemPackage

/// Starting a helper process of Fracas's own; targets are started by `fracas-launch`.
public enum Spawn {
    /// Starts a program with one inherited descriptor, which is number 3 there, and our standard error; its signal mask is
    /// empty whatever ours is.
    /// - Parameter environment: its variables; nil for ours.
    /// - Returns: its process id; the caller waits for it.
    /// - Throws: the errno of `posix_spawn(3)`.
    public static func start(
        _ path: String, arguments: [String], environment: [String: String]? = nil, passing: Descriptor
    ) throws(Errno) -> Int32 {
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        // dup2 onto itself would leave close-on-exec set, so the number goes by way of another one.
        posix_spawn_file_actions_adddup2(&actions, passing.raw, 1000)
        posix_spawn_file_actions_adddup2(&actions, 1000, 3)
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var argv: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) } + [nil]
        defer { for argument in argv { free(argument) } }
        var own: [UnsafeMutablePointer<CChar>?] = (environment ?? [:]).map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for setting in own { free(setting) } }
        var pid: pid_t = 0
        let failure =
            if environment == nil {
                posix_spawn(&pid, path, &actions, &attributes, &argv, fracas_environment())
            } else { posix_spawn(&pid, path, &actions, &attributes, &argv, &own) }
        guard failure == 0 else { throw Errno(rawValue: failure) }
        return pid
    }

    /// Waits until a child of ours has ended; blocks the calling thread.
    public static func wait(_ pid: Int32) {
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
    }
}
