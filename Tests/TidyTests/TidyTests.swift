import Foundation
import Testing

/// Keeps the house in order: what docs/ARCHITECTURE.md says of the sources is checked here.
@Suite("Tidy")
struct TidyTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path
    /// The modules from the top down; each may import only those after it.
    private static let order = [
        "fracas", "Certification", "Benchmarks", "Reports", "Exploration", "Trials", "Deployments", "Checkers", "Gate",
        "Topologies",
        "Schedules",
        "Evidence",
        "Scenarios", "Platform", "CSyscall", "CSeccomp",
    ]

    private static func sources(_ directory: String, _ ending: String) -> [(path: String, text: String)] {
        let names = FileManager.default.enumerator(atPath: "\(root)/\(directory)")?.compactMap { $0 as? String } ?? []
        return names.filter { $0.hasSuffix(ending) }.sorted().compactMap { name in
            let path = "\(directory)/\(name)"
            return (try? String(contentsOfFile: "\(root)/\(path)", encoding: .utf8)).map { (path, $0) }
        }
    }

    @Test func importsPointDownwards() throws {
        let files = Self.sources("Sources", ".swift")
        #expect(files.count > 40)
        for file in files {
            let module = String(file.path.split(separator: "/")[1])
            let own = try #require(Self.order.firstIndex(of: module), "\(file.path) is in no module the order names")
            for line in file.text.split(separator: "\n") where line.contains("import ") {
                guard let name = line.split(separator: " ").last, let other = Self.order.firstIndex(of: String(name))
                else {
                    continue
                }
                #expect(other > own, "\(file.path) imports \(name), which is not below it")
            }
        }
    }

    @Test func filesAreShort() {
        // Gate.swift is the decision for one call from its arrival to its answer, and Record.swift one ledger's vocabulary.
        // A schema and a name table are data.
        let exceptions = ["Record.swift", "Gate.swift", "ScenarioSchema.swift"]
        for file in Self.sources("Sources", ".swift") where !exceptions.contains(where: file.path.hasSuffix) {
            let lines = file.text.split(separator: "\n", omittingEmptySubsequences: false).count
            #expect(lines <= 310, "\(file.path) has \(lines) lines: look for the seam")
        }
        let c = ["fracas-launch", "CLaunch"].flatMap {
            Self.sources("Sources/\($0)", ".c") + Self.sources("Sources/\($0)", ".h")
        }
        .map { $0.text.split(separator: "\n", omittingEmptySubsequences: false).count }.reduce(0, +)
        // More than the rest of it is the file tree of a trial, which only its init can put together.
        #expect(c <= 1000, "the launcher has \(c) lines of C")
    }

    @Test func nothingForbiddenIsUsed() {
        for file in Self.sources("Sources", ".swift") {
            for word in ["try!", "fatalError(", "nonisolated(unsafe)", " as! "] {
                #expect(!file.text.contains(word), "\(file.path) uses \(word)")
            }
            // What the compiler cannot prove has its proof beside it.
            if file.text.contains("@unchecked Sendable") {
                #expect(
                    file.text.contains("/// Unchecked because"), "\(file.path) does not prove its @unchecked Sendable")
            }
        }
    }

    @Test func coreKnowsNothingOfEXO() {
        for file in Self.sources("Sources", ".swift") {
            #expect(
                file.text.firstMatch(of: /\b(exo|EXO|52415)\b/) == nil || file.path.contains("fracas/"), "\(file.path)")
        }
    }

    @Test func linksInDocumentsPointSomewhere() {
        for file in Self.sources("docs", ".md") + Self.sources("", "README.md") {
            for match in file.text.matches(of: /\]\(([^)#:]+)\)/) {
                let base = file.path.split(separator: "/").dropLast().joined(separator: "/")
                let path = "\(Self.root)/\(base)/\(match.1)"
                #expect(FileManager.default.fileExists(atPath: path), "\(file.path) links to \(match.1)")
            }
        }
    }
}
