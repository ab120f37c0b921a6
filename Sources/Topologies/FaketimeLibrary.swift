import Glibc
import Platform

/// The library that lets a process's clock be changed, where this host has it.
public enum FaketimeLibrary {
    /// Its path: the variant for programs with threads.
    public static let path: String? = {
        let directories = ["x86_64-linux-gnu", "aarch64-linux-gnu"].map { "/usr/lib/\($0)/faketime" }
        let candidates = (directories + ["/usr/lib/faketime", "/usr/lib64/faketime"]).map { "\($0)/libfaketimeMT.so.1" }
        return candidates.first { access($0, R_OK) == 0 }
    }()

    /// Our own library, which keeps it from waits by other clocks than the one that is changed.
    /// - Parameter program: the program beside which it stands.
    public static func waits(beside program: String) -> String? {
        let path = "\(program.prefix(upTo: program.lastIndex(of: "/") ?? program.startIndex))/libfracas-clock.so"
        return access(path, R_OK) == 0 ? path : nil
    }
}
