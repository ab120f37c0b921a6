import Foundation

/// A program without a C library, of a few instructions of x86-64: it makes no call that it was not written to make.
struct BareProgram {
    private var code: [UInt8] = []

    enum Call: UInt32 {
        case pause = 34
        case getpid = 39
        case fork = 57
        case exit = 60
        case wait = 61
        case kill = 62
        case getuid = 102
        case getppid = 110
        case exitGroup = 231
    }

    /// Where it can be built.
    static var isPossible: Bool {
        #if arch(x86_64)
            true
        #else
            false
        #endif
    }

    /// Makes a system call.
    func call(_ call: Call, _ arguments: UInt32...) -> BareProgram {
        var copy = self
        // mov edi, esi, edx with a constant
        for (operation, argument) in zip([0xBF, 0xBE, 0xBA] as [UInt8], arguments) {
            copy.code += [operation] + Self.bytes(argument)
        }
        // xor r10d, r10d: the fourth argument is null
        copy.code += [0x4D, 0x31, 0xD2]
        copy.code += [0xB8] + Self.bytes(call.rawValue) + [0x0F, 0x05]
        return copy
    }

    /// Forks; `child` is what the new process does, the rest of the program is the parent's.
    func fork(_ child: BareProgram) -> BareProgram {
        var copy = call(.fork)
        // test eax, eax; jnz past the child's part
        copy.code += [0x85, 0xC0, 0x0F, 0x85] + Self.bytes(UInt32(child.code.count)) + child.code
        return copy
    }

    /// Goes on with another program.
    func appending(_ other: BareProgram) -> BareProgram {
        var copy = self
        copy.code += other.code
        return copy
    }

    /// Asks for its parent's id until that is `pid`.
    func awaitParent(_ pid: UInt8) -> BareProgram {
        var copy = call(.getppid)
        // cmp eax, pid; jne back to the call: with itself 15 bytes
        copy.code += [0x83, 0xF8, pid, 0x75, UInt8(bitPattern: -15)]
        return copy
    }

    /// Kills itself.
    func killItself() -> BareProgram {
        var copy = call(.getpid)
        // mov edi, eax; mov esi, 9
        copy.code +=
            [0x89, 0xC7, 0xBE] + Self.bytes(UInt32(9)) + [0xB8] + Self.bytes(Call.kill.rawValue) + [0x0F, 0x05]
        return copy
    }

    /// Writes the program: an ELF file of one segment.
    func write(to path: String) throws {
        let start: UInt64 = 0x400000
        let size = UInt64(120 + code.count)
        var file: [UInt8] = [0x7F, 0x45, 0x4C, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 62, 0, 1, 0, 0, 0]
        file += Self.bytes(start + 120) + Self.bytes(UInt64(64)) + Self.bytes(UInt64(0)) + Self.bytes(UInt32(0))
        file += [64, 0, 56, 0, 1, 0, 0, 0, 0, 0, 0, 0]
        file += Self.bytes(UInt32(1)) + Self.bytes(UInt32(5)) + Self.bytes(UInt64(0)) + Self.bytes(start)
        file += Self.bytes(start) + Self.bytes(size) + Self.bytes(size) + Self.bytes(UInt64(4096))
        try Data(file + code).write(to: URL(fileURLWithPath: path))
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
    }

    private static func bytes<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
        withUnsafeBytes(of: number.littleEndian) { Array($0) }
    }
}
