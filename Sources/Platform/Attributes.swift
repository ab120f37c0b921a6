import CSyscall
import Glibc
public import SystemPackage

/// Extended attributes of an open file: capabilities, access lists, and what users keep beside a file.
extension Descriptor {
    /// Their names; none where the file system has no such thing.
    /// - Throws: the errno of `flistxattr(2)`.
    public func attributeNames() throws(Errno) -> [String] {
        Platform.attributeNames(in: try growing { fracas_list_attributes(raw, $0, $1) })
    }

    /// The value of one; nil when there is none of this name.
    /// - Throws: the errno of `fgetxattr(2)`.
    public func attribute(_ name: String) throws(Errno) -> [UInt8]? {
        try growing { fracas_get_attribute(raw, name, $0, $1) }
    }

    /// Gives one its value.
    /// - Throws: the errno of `fsetxattr(2)`.
    public func setAttribute(_ name: String, _ value: [UInt8]) throws(Errno) {
        try check(fracas_set_attribute(raw, name, value, UInt(value.count)))
    }

    /// Removes one.
    /// - Throws: the errno of `fremovexattr(2)`.
    public func removeAttribute(_ name: String) throws(Errno) { try check(fracas_remove_attribute(raw, name)) }

    /// Gives this open file the time of its last change.
    public func setModified(seconds: Int64, nanoseconds: Int64) throws(Errno) {
        try check(fracas_set_modified(raw, Int(seconds), Int(nanoseconds)))
    }

    /// Brings everything of the file system that this file is on to the disk. Since Linux 5.8 what could not be written after this
    /// file was opened is an error here.
    public func syncFileSystem() throws(Errno) {
        while true {
            do {
                try check(fracas_sync_file_system(raw))
                return
            } catch { if error != .interrupted { throw error } }
        }
    }
}

extension FileStatus {
    /// The names of a file's extended attributes, of a link's own where it is one; none where the file system has no such thing.
    /// - Throws: the errno of `llistxattr(2)`.
    public static func attributeNames(_ path: String) throws(Errno) -> [String] {
        Platform.attributeNames(in: try growing { fracas_attribute_names(path, $0, $1) })
    }

    /// The value of one, of a link's own where it is one; nil when there is none of this name.
    /// - Throws: the errno of `lgetxattr(2)`.
    static func attribute(_ path: String, _ name: String) throws(Errno) -> [UInt8]? {
        try growing { lgetxattr(path, name, $0, Int($1)) }
    }
}

private func attributeNames(in bytes: [UInt8]?) -> [String] {
    (bytes ?? []).split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
}

/// What a call puts into a room that may be too small at first; nil when there is nothing.
private func growing(_ call: (UnsafeMutableRawPointer?, UInt) -> Int) throws(Errno) -> [UInt8]? {
    var room = 256
    while true {
        var failure: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
            let result = call(buffer.baseAddress, UInt(room))
            failure = result < 0 ? errno : 0
            count = max(0, result)
        }
        switch failure {
        case 0: return bytes
        case ENODATA, ENOTSUP: return nil
        // The kernel gives 64 KiB at most.
        case ERANGE where room < 1 << 16: room = 1 << 16
        default: throw Errno(rawValue: failure)
        }
    }
}
