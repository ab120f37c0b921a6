import CSyscall
import Glibc
public import SystemPackage

extension FileStatus {
    /// The names of a file's extended attributes, of a link's own where it is one; none where the file system has no such thing.
    /// - Throws: the errno of `llistxattr(2)`.
    public static func attributeNames(_ path: String) throws(Errno) -> [String] {
        var room = 1024
        while true {
            var failure: Int32 = 0
            let bytes = [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
                let result = fracas_attribute_names(path, buffer.baseAddress, UInt(room))
                failure = result < 0 ? errno : 0
                count = max(0, result)
            }
            switch failure {
            case 0: return bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
            case ENOTSUP: return []
            // The kernel gives 64 KiB at most.
            case ERANGE where room < 1 << 16: room = 1 << 16
            default: throw Errno(rawValue: failure)
            }
        }
    }
}
