import Crypto
import Foundation
import Glibc
import Platform
import SystemPackage

/// Putting the deployment kit into a tree, and bringing it up to date there. What an operator has changed stays: the hashes of
/// what was installed are kept beside it, and what has none of them is the operator's own.
public struct Kit {
    /// The kit's own files.
    private let source: String
    /// The program its scripts call.
    private let program: String
    private let deployment: String

    /// - Parameters:
    ///   - source: the directory with the kit's own files.
    ///   - program: the absolute path of the program that its scripts call.
    ///   - tree: the tree's directory.
    public init(from source: String, program: String, tree: String) {
        self.source = source
        self.program = program
        deployment = "\(tree)/deployment"
    }

    /// The line of a script that says where it was installed from.
    private static let place = "\ninstalled=\n"

    /// What earlier kits, which kept no record, put into trees.
    private static let known: Set<String> = [
        "06934c266bc693a9f5d1c1174cdf279bec81afed08c73ec187ad776c01e8fac9",
        "6f048e98f962899e39121fda9e7eb1827459303533969f26ab5a977c55411ed2",
        "9efda36fcc6d381866ce06fd7e5625170432cb58c44472914e61f20e37f7bb99",
        "c03a2fd900fdecf8c23c4b9f51ed2ed4e5b8c1f589cd995661f91fc7d7e37226",
        "de28f2cce29905d9066d5cd9e3847c74aaa8b44bb5be974e5c08ac4af46264bb",
        "be8c6ff80350697b6a62ec71cb50ddbad7ac31d033593f6f78aabb99bb760886",
        "d75e4b406880172df30ddb672e42dc86fef6a8cc629c657957c807be8a12a4a3",
        "0b591a348b8d5ea294317f8881b6d8d32cc6d6b7bda70333164d49f3e9263dbc",
        "42463c9aa4bb73172195c1ae3ee01587b14805268f35eef2c6573f7e374780d2",
        "9a558b48d8adcb425eb14fb850616b03daf5184ffee892cd5605fdca13fb7160",
        "d80cba4136fb724520bae87029a242c07017e196dceaa8e060fb8a1716410912",
        "971453b19f530acff71d099af56336d71ab0fafffba89edecb7aaa39c64f02a6",
    ]

    /// What came of one file.
    public struct Result: Sendable {
        /// What was done.
        public enum Kind: Sendable {
            /// It was not there.
            case installed
            /// It was an earlier kit's, or its permissions were others.
            case updated
            /// It was this kit's already.
            case present
            /// An operator has changed it.
            case kept
            /// Something to know, of no file in particular.
            case note
        }
        /// What was done.
        public let kind: Kind
        /// The file in the tree; nil for a note.
        public let path: String?
        /// For people.
        public let text: String
        /// Whether anything was written.
        public var isChange: Bool { kind == .installed || kind == .updated || text.contains("with permissions 640") }
    }

    private struct File {
        var name: String
        var bytes: [UInt8]
        var hash: String
        /// Of the file as it is in the kit: who copied that by hand has changed nothing.
        var source: String
        var mode: UInt32
    }

    /// Does it.
    /// - Returns: what came of each file.
    public func install() throws(DeploymentError) -> [Result] {
        let (folders, files) = try read()
        for name in ["", "logs", "backups"] + folders {
            let path = name.isEmpty ? deployment : "\(deployment)/\(name)"
            do { try Files.makeDirectories(path, mode: 0o750) } catch { throw failure(path, error) }
        }
        let record = self.record()
        // What is about to be written counts as ours before the first of it is there: this can be broken off anywhere.
        try write(record.merging(entries(files)) { $0.union($1) })
        var results: [Result] = []
        for file in files { results.append(try put(file, record)) }
        try write(entries(files))
        results += try settle("local.conf")
        for fault in [Trust().scriptFault(program), Trust().configurationFault(Files.parent(of: deployment))] {
            if let fault { results.append(Result(kind: .note, path: nil, text: "note: \(fault)")) }
        }
        return results
    }

    // MARK: one file

    private func put(_ file: File, _ record: [String: Set<String>]) throws(DeploymentError) -> Result {
        let path = "\(deployment)/\(file.name)"
        let ours = Self.known.union(record[file.name] ?? []).union([file.source])
        func result(_ kind: Result.Kind, _ text: String) -> Result { Result(kind: kind, path: path, text: text) }
        do {
            guard let status = try FileStatus(path) else {
                try replace(path, file.bytes, file.mode)
                return result(.installed, "installed \(path)")
            }
            let now = status.kind == .file ? hash(at: path) : nil
            if now == file.hash || now.map(ours.contains) ?? false {
                let isSame = now == file.hash && status.mode == file.mode
                if now != file.hash { try replace(path, file.bytes, file.mode) }
                try Files.setMode(path, file.mode)
                if let offered = hash(at: "\(path).new"), ours.contains(offered) { try Files.remove("\(path).new") }
                return isSame ? result(.present, "up to date \(path)") : result(.updated, "updated \(path)")
            }
            let isSettings = file.name.hasSuffix(".conf")
            let changed = isSettings ? try settle(path, status) : ""
            // Of settings there is something new to look at only when the kit's own are other ones.
            if isSettings, record[file.name]?.contains(file.hash) ?? false {
                return result(.kept, "kept \(path), which was changed here\(changed)")
            }
            if hash(at: "\(path).new") != file.hash {
                try replace("\(path).new", file.bytes, isSettings ? file.mode : 0o640)
            }
            return result(.kept, "kept \(path), which was changed here\(changed); the kit's own is \(path).new")
        } catch { throw failure(path, error) }
    }

    /// The permissions of settings that are there: they say what is run.
    private func settle(_ path: String, _ status: FileStatus) throws(Errno) -> String {
        guard status.kind == .file, status.mode != 0o640 else { return "" }
        try Files.setMode(path, 0o640)
        return ", with permissions 640 instead of \(String(status.mode, radix: 8))"
    }

    /// Likewise of a file of settings that is the operator's own from the beginning.
    private func settle(_ name: String) throws(DeploymentError) -> [Result] {
        let path = "\(deployment)/config/\(name)"
        do {
            guard let status = try FileStatus(path) else { return [] }
            return [Result(kind: .kept, path: path, text: "kept \(path)\(try settle(path, status))")]
        } catch { throw failure(path, error) }
    }

    private func replace(_ path: String, _ bytes: [UInt8], _ mode: UInt32) throws(Errno) {
        let temporary = "\(Files.parent(of: path))/.kit.new"
        try Files.remove(temporary)
        try Files.write(temporary, bytes, mode: mode)
        try Files.rename(temporary, path)
        try Files.sync(directory: Files.parent(of: path))
    }

    private func failure(_ path: String, _ error: Errno) -> DeploymentError {
        DeploymentError(.files, "install '\(path)': \(error); is the tree writable?")
    }

    // MARK: the kit's own files

    private func read() throws(DeploymentError) -> (folders: [String], files: [File]) {
        var (folders, files): ([String], [File]) = ([], [])
        for name in FileManager.default.enumerator(atPath: source)?.compactMap({ $0 as? String }).sorted() ?? [] {
            let path = "\(source)/\(name)"
            if (try? FileStatus(path))?.kind == .directory {
                folders.append(name)
                continue
            }
            guard let data = FileManager.default.contents(atPath: path) else {
                throw DeploymentError(.files, "read the kit's file '\(path)': it cannot be read")
            }
            let isScript = name.hasSuffix(".sh")
            let bytes = isScript ? rendered(Array(data)) : Array(data)
            files.append(
                File(
                    name: name, bytes: bytes, hash: SHA256.hash(data: bytes).hexadecimal,
                    source: SHA256.hash(data: data).hexadecimal,
                    mode: isScript ? 0o750 : 0o640))
        }
        return (folders, files)
    }

    /// A script that knows where its program is: cron and sudo have a `PATH` of their own.
    private func rendered(_ bytes: [UInt8]) -> [UInt8] {
        let quoted = "'" + program.replacingOccurrences(of: "'", with: "'\\''") + "'"
        let text = String(decoding: bytes, as: UTF8.self)
        return Array(text.replacingOccurrences(of: Self.place, with: "\ninstalled=\(quoted)\n").utf8)
    }

    private func hash(at path: String) -> String? {
        FileManager.default.contents(atPath: path).map { SHA256.hash(data: $0).hexadecimal }
    }

    // MARK: the record

    private func entries(_ files: [File]) -> [String: Set<String>] {
        Dictionary(files.map { ($0.name, [$0.hash]) }, uniquingKeysWith: { $0.union($1) })
    }

    /// In the form of sha256sum(1), so that `sha256sum -c .kit` shows what was changed.
    private func write(_ record: [String: Set<String>]) throws(DeploymentError) {
        let lines = record.sorted { $0.key < $1.key }.flatMap { name, hashes in
            hashes.sorted().map { "\($0)  \(name)\n" }
        }
        do { try replace("\(deployment)/.kit", Array(lines.joined().utf8), 0o640) } catch {
            throw failure("\(deployment)/.kit", error)
        }
    }

    private func record() -> [String: Set<String>] {
        let text = FileManager.default.contents(atPath: "\(deployment)/.kit").map {
            String(decoding: $0, as: UTF8.self)
        }
        var record: [String: Set<String>] = [:]
        for line in (text ?? "").split(separator: "\n") {
            guard let gap = line.range(of: "  ") else { continue }
            record[String(line[gap.upperBound...]), default: []].insert(String(line[..<gap.lowerBound]))
        }
        return record
    }
}
