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
}
