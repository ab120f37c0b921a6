import ArgumentParser
import Benchmarks
import Certification
import Foundation
import Glibc

/// `fracas bench deploy`.
struct BenchDeployCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "deploy",
        abstract: "Measures a deployment and a rollback beside what operators do without Fracas.",
        discussion: """
            In every round everything is run once: a deployment in which ten files change, and the rollback of it, with a client that \
            asks the service all the time; the service's own stop and start; tar, rsync -a and sync; hard links and a symbolic link. \
            The trees are made for it and removed afterwards. Run it on the file system that is to be measured.
            """)

    @Option(parsing: .upToNextOption, help: "The sizes of the trees.")
    var files: [Int] = [1000, 10_000, 100_000]
    @Option(help: "How many rounds.")
    var rounds = 3
    @Option(help: "The directory in which the trees are made. Default: the temporary directory.")
    var scratch: String?
    @Option(help: "The milliseconds that the service takes until it listens.")
    var serviceStart = 100
    @Option(help: "The fracas that deploys, to measure another version. Default: this one.")
    var fracas: String?
    @Option(help: "What standard output carries: text or json.")
    var format: RunOptions.Format = .text

    func validate() throws {
        if !(1...1000).contains(rounds) { throw ValidationError("--rounds must be from 1 to 1000, not \(rounds)") }
        if !(0...60_000).contains(serviceStart) {
            throw ValidationError("--service-start must be from 0 to 60000, not \(serviceStart)")
        }
        if let size = files.first(where: { !(10...1_000_000).contains($0) }) {
            throw ValidationError("--files must be from 10 to 1000000, not \(size)")
        }
        if Set(files).count < files.count { throw ValidationError("--files names one size twice") }
    }

    func run() async throws {
        let place = URL(fileURLWithPath: scratch ?? FileManager.default.temporaryDirectory.path).standardizedFileURL
        guard access(place.path, W_OK) == 0 else {
            throw Complaint("--scratch: '\(place.path)' is not a directory that can be written to")
        }
        let deployer = fracas.map { URL(fileURLWithPath: $0).standardizedFileURL.path } ?? Installation.program.path
        guard access(deployer, X_OK) == 0 else { throw Complaint("--fracas: '\(deployer)' is no program") }
        let benchmark = DeploymentBenchmark(
            fracas: deployer, load: try Installation.program("fracas-load"), files: files, rounds: rounds,
            scratch: place.path, serviceStart: serviceStart, isStopped: { Interruption.stop.isSet })
        let report: BenchmarkReport
        do {
            report = try await BenchGateCommand.onOwnThread { try benchmark.run(progress: Output.complain) }
        } catch {
            if Interruption.stop.isSet {
                Output.complain("interrupted; the services are stopped and the trees are removed")
                throw ExitCode(130)
            }
            throw Complaint("\(error)")
        }
        print(format == .json ? try Output.encoded(report) : BenchText.text(report))
    }
}
