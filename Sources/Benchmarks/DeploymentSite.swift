import Foundation
import Glibc
import Platform

/// A tree with its service, in which one size is measured.
package struct DeploymentSite {
    /// What is measured of each size.
    package enum Row: String, CaseIterable {
        case deploy = "fracas deploy"
        case rollback = "fracas rollback"
        case operators = "tar + rsync -a + sync"
        case hardLinks = "cp -al, ten files, symlink, sync"
        case symlink = "symlink switch"
        case restart = "service's own stop and start"
        case fracasRestart = "fracas service stop + start"
        case deployDowntime = "downtime of deploy"
        case rollbackDowntime = "downtime of rollback"
        case restartDowntime = "downtime of own stop and start"
        case deployMemory = "peak memory of deploy"
        case rollbackMemory = "peak memory of rollback"

        package func name(_ size: Int) -> String { "\(size) files: \(rawValue)" }
        package var unit: String { self == .deployMemory || self == .rollbackMemory ? "MB" : "ms" }
    }

    let benchmark: DeploymentBenchmark
    let tree: BenchmarkTree
    let directory: String
    let port: Int
    /// The port of the service that is started by hand.
    let ownPort: Int
    let rsync: String?

    private static let patience: Int64 = 60_000_000_000

    private var child: BenchmarkChild {
        // Settings of the environment hold over the tree's: those that a version does not know it does not look at.
        let environment = [
            "PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin", "HEALTH_SOAK": "0",
        ]
        return BenchmarkChild(log: "\(directory)/log", environment: environment, isStopped: benchmark.isStopped)
    }
    private var plain: String { "\(directory)/plain" }

    /// Makes the tree, deployed and served, and the same once more for those who do without Fracas.
    func make() throws {
        try Files.makeDirectories(directory, mode: 0o700)
        try tree.make()
        try tree.makeRelease(1)
        try child.run(["/bin/cp", "-a", tree.root, plain])
        try Files.makeLink("\(directory)/current", to: plain)
        try child.run([benchmark.fracas, "kit", "install", tree.root])
        try Files.write("\(tree.root)/deployment/config/local.conf", Array(settings.utf8), mode: 0o640)
        try fracas("service", "start")
        guard ServiceProber.await(port: port, until: Clock.now() + Self.patience) else {
            throw BenchmarkError("the service of '\(tree.root)' does not answer on port \(port)")
        }
        sync()
    }

    /// Waits that are not of the work are made short, and what the prober causes is not held against the service.
    private var settings: String {
        """
        API_PORT=\(port)
        SERVICE_COMMAND="\(benchmark.load) serve \(port) {root}/\(BenchmarkTree.path(0)) \(benchmark.serviceStart)"
        SERVICE_RESTART_DELAY=0
        TEST_COMMAND="/bin/true"
        HEALTH_CHECK_INTERVAL=0.001
        HEALTH_CHECK_RETRIES=10000
        DEPLOYMENT_TIMEOUT=3600
        ROLLBACK_TIMEOUT=3600
        RESPONSE_SAMPLES=1
        CPU_THRESHOLD=1000000
        DISK_THRESHOLD=99

        """
    }

    /// Stops the services and removes everything, as far as it is there.
    func remove() {
        let child = BenchmarkChild(log: "\(directory)/log", environment: [:], isStopped: { false })
        _ = try? child.run([benchmark.fracas, "service", "stop", "--force", "--tree", tree.root])
        try? FileManager.default.removeItem(atPath: directory)
    }

    @discardableResult
    private func fracas(_ words: String...) throws -> BenchmarkChild.Result {
        try child.run([benchmark.fracas] + words + ["--tree", tree.root])
    }

    // MARK: a round

    /// Measures everything once.
    func measure(_ round: Int, _ figures: inout DeploymentFigures, _ notMeasured: inout Set<String>) throws {
        func add(_ row: Row, _ value: Double) { figures.add(row.name(tree.files), row.unit, round: round, value) }
        func add(_ row: Row, downtime: ProbeRecord) {
            if let time = downtime.downtime {
                add(row, time)
            } else {
                notMeasured.insert(
                    "\(row.name(tree.files)), round \(round): "
                        + (downtime.isUp ? "the prober saw no failure" : "the service did not answer again"))
            }
        }
        try tree.makeRelease(round)
        sync()
        let deployed = try probed(port) { try fracas("deploy", "--release", tree.release) }
        add(.deploy, deployed.0.milliseconds)
        add(.deployDowntime, downtime: deployed.1)
        add(.deployMemory, deployed.0.memory)
        let back = try probed(port) { try fracas("rollback", "latest") }
        add(.rollback, back.0.milliseconds)
        add(.rollbackDowntime, downtime: back.1)
        add(.rollbackMemory, back.0.memory)
        let own = try restartByHand()
        add(.restart, own.0)
        add(.restartDowntime, downtime: own.1)
        let stopped = try fracas("service", "stop")
        add(.fracasRestart, stopped.milliseconds + (try fracas("service", "start").milliseconds))
        if let rsync { add(.operators, try operators(rsync)) }
        add(.hardLinks, try hardLinks())
        add(.symlink, try symlinkSwitch())
    }

    /// Does something while a client asks the service, which must answer before and after.
    private func probed<Value>(_ port: Int, _ body: () throws -> Value) throws -> (Value, ProbeRecord) {
        guard ServiceProber.await(port: port, until: Clock.now() + Self.patience) else {
            throw BenchmarkError("the service on port \(port) does not answer")
        }
        let prober = try ServiceProber(port: port)
        do {
            let value = try body()
            // Where it is not back yet the prober's own next answer is what is waited for.
            _ = ServiceProber.await(port: port, until: Clock.now() + Self.patience)
            return (value, prober.end())
        } catch {
            _ = prober.end()
            throw error
        }
    }

    /// The same service, ended by a signal and started again by hand, until it answers.
    private func restartByHand() throws -> (Double, ProbeRecord) {
        let command = [
            benchmark.load, "serve", "\(ownPort)", "\(plain)/\(BenchmarkTree.path(0))", "\(benchmark.serviceStart)",
        ]
        var service = try child.start(command)
        defer { end(service) }
        return try probed(ownPort) {
            let began = Clock.now()
            end(service)
            service = try child.start(command)
            guard ServiceProber.await(port: ownPort, until: Clock.now() + Self.patience) else {
                throw BenchmarkError("'\(command.joined(separator: " "))' does not answer")
            }
            return Double(Clock.now() - began) / 1e6
        }
    }

    private func end(_ service: (pid: Int32, handle: ProcessHandle)) {
        kill(service.pid, SIGTERM)
        _ = Wait.forInput(service.handle.descriptor, until: .max)
        Spawn.wait(service.pid)
    }

    // MARK: without Fracas

    /// A backup by tar, the release by rsync, and everything on the disk.
    private func operators(_ rsync: String) throws -> Double {
        try child.run(["/usr/bin/env", "tar", "-cf", "\(directory)/backup.tar", "-C", plain, "src"]).milliseconds
            + child.run([rsync, "-a", "\(tree.release)/", "\(plain)/"]).milliseconds
            + child.run(["/usr/bin/env", "sync"]).milliseconds
    }

    /// A tree of hard links in which the ten files are replaced, and a link that is pointed at it.
    private func hardLinks() throws -> Double {
        let other = "\(directory)/linked"
        try Files.removeTree(other)
        var time = try child.run(["/bin/cp", "-al", plain, other]).milliseconds
        time += try child.run(["/bin/cp", "-a", "--remove-destination", "\(tree.release)/.", other]).milliseconds
        time += try point(at: other)
        return time + (try child.run(["/usr/bin/env", "sync"]).milliseconds)
    }

    /// The link pointed back: the rollback of who deploys by links.
    private func symlinkSwitch() throws -> Double { try point(at: plain) }

    private func point(at target: String) throws -> Double {
        let began = Clock.now()
        try Files.makeLink("\(directory)/next", to: target)
        try Files.rename("\(directory)/next", "\(directory)/current")
        try Files.sync(directory: directory)
        return Double(Clock.now() - began) / 1e6
    }
}
