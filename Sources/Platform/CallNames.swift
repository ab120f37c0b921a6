import CSeccomp
import Glibc

/// The names of system calls on this machine.
public enum CallNames {
    /// The number of a call; nil when this architecture has none of that name.
    public static func number(of name: String) -> Int32? {
        let number = seccomp_syscall_resolve_name(name)
        return number >= 0 ? number : nil
    }

    /// The name of a call by its number on the native architecture (libseccomp's token 0).
    public static func name(of number: Int32) -> String? {
        guard let text = seccomp_syscall_resolve_num_arch(0, number) else { return nil }
        defer { free(text) }
        return String(cString: text)
    }
}
