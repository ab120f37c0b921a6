import Foundation
import Glibc
import Platform

/// Looking at the deployed service and its machine, without changing anything.
struct Validation {
    let operation: Operation
    private var tree: DeploymentTree { operation.tree }
    private var configuration: Configuration { operation.tree.configuration }

    /// Everything, for `validate`.
    /// - Parameter since: messages from this time on count, in seconds since 1970.
    func full(since: Int64, history: [Sample], deadline: Int64) -> [Check] {
        var checks = [service(), port()] + endpoints(deadline) + [responseTimes(deadline), messages(since: since)]
        let (resources, sample) = self.resources()
        checks += resources
        checks.append(growth(history + [sample].compactMap(\.self)))
        checks.append(nodes(deadline))
        return checks
    }

    /// What a change must show before it is accepted.
    func afterChange(deadline: Int64) -> [Check] { [service(), port()] + endpoints(deadline) }

    private func service() -> Check {
        do {
            let state = try operation.manager.state()
            guard let main = state.main else {
                return Check(
                    "service", .failed,
                    "it does not run under \(operation.manager.name): 'fracas service start', or systemctl status \(configuration["SERVICE_NAME"])"
                )
            }
            let history = state.history.map { "; \($0)" } ?? ""
            return Check(
                "service", .passed,
                "process \(main), \(state.processes.count) in all, under \(operation.manager.name)\(history)")
        } catch { return Check("service", .failed, error.description) }
    }

    /// Whether it is the service that the endpoints are asked of.
    private func port() -> Check {
        let name = "who answers"
        guard let state = try? operation.manager.state(), state.isRunning else {
            return Check(name, .skipped, "the service does not run")
        }
        let answerer = Answerer(tree: tree, since: nil)
        guard let trouble = answerer.trouble(state) ?? answerer.versionTrouble() else {
            return Check(name, configuration["HEALTH_OWNER"] == "any" ? .skipped : .passed, answerer.basis)
        }
        return Check(name, .failed, trouble)
    }

    private func endpoints(_ deadline: Int64) -> [Check] {
        ["HEALTH_ENDPOINT", "STATE_ENDPOINT", "DASHBOARD_ENDPOINT"].map { key in
            let name = key.lowercased().replacingOccurrences(of: "_", with: " ")
            let isLate = Clock.now() > deadline
            let trouble = isLate ? "the time for the validation was over" : Health(tree: tree).ask(key)
            return Check(name, trouble == nil ? .passed : .failed, trouble ?? "\(configuration[key]) answered 200")
        }
    }

    private func responseTimes(_ deadline: Int64) -> Check {
        var times: [Double] = []
        var failures = 0
        for _ in 0..<configuration.whole("RESPONSE_SAMPLES") where Clock.now() < deadline && failures < 3 {
            let answer = try? HTTPProbe.get(
                port: configuration.whole("API_PORT"), path: configuration["HEALTH_ENDPOINT"],
                nanoseconds: configuration.time("HEALTH_CHECK_TIMEOUT"))
            if let answer { times.append(answer.milliseconds) } else { failures += 1 }
        }
        guard !times.isEmpty, failures == 0 else {
            return Check("response time", .failed, "\(failures) of \(times.count + failures) requests had no answer")
        }
        times.sort()
        func percentile(_ share: Double) -> Double { times[min(times.count - 1, Int(Double(times.count) * share))] }
        let shown = [0.5, 0.95, 0.99].map { "p\(Int($0 * 100)) \((percentile($0) * 100).rounded() / 100) ms" }
        var check = Check.bounded(
            "response time", percentile(0.95), atMost: configuration.decimal("RESPONSE_TIME_THRESHOLD"), "ms",
            "the service is slow: look at its load and its log")
        check.detail = "\(shown.joined(separator: ", ")) of \(times.count) requests; \(check.detail)"
        return check
    }

    private func messages(since: Int64) -> Check {
        let pattern = configuration["RACE_ERROR_PATTERNS"]
        guard !pattern.isEmpty, let regex = try? Regex(pattern) else {
            return Check("race errors", .skipped, "RACE_ERROR_PATTERNS is empty")
        }
        do {
            let found = try operation.manager.messages(since: since).filter { $0.contains(regex) }
            let allowed = configuration.whole("ERROR_THRESHOLD")
            let last = found.last.map { ", the last one: \(Text.plain(String($0.prefix(300))))" } ?? ""
            return Check(
                "race errors", found.count <= allowed ? .passed : .failed,
                "\(found.count) lines match RACE_ERROR_PATTERNS, allowed \(allowed)\(last)", value: Double(found.count),
                threshold: Double(allowed), unit: "lines")
        } catch { return Check("race errors", .failed, error.description) }
    }

    /// The check on several nodes, on a copy of what is deployed: the tree itself keeps other releases beside it.
    private func nodes(_ deadline: Int64) -> Check {
        let name = "multi-node check"
        let trials = configuration.whole("MULTI_NODE_TRIALS")
        guard trials > 0, let check = operation.caller.checkNodes else {
            return Check(name, .skipped, "MULTI_NODE_TRIALS is 0")
        }
        let copy = "\(tree.logs)/.certified-\(operation.id)"
        defer { try? Files.removeTree(copy) }
        do {
            for left in try Files.entries(tree.logs) where left.hasPrefix(".certified-") {
                try Files.removeTree("\(tree.logs)/\(left)")
            }
            try Files.makeDirectory(copy, mode: 0o700)
            let units = try Scan.names(in: tree.root).filter {
                !DeploymentTree.reserved.contains($0) && !$0.hasPrefix(".")
            }
            let entries = try Scan.entries(of: tree.root, units: units)
            try Copying.copy(entries, from: tree.root, to: copy, keepOwner: false, mode: { $0.mode })
            return check(tree, copy, trials, deadline)
        } catch { return Check(name, .failed, "copy the tree to '\(copy)': \(error)") }
    }

    // MARK: resources

    /// The service's memory at one time.
    struct Sample: Codable {
        /// Seconds since 1970.
        var time: Int64
        var bytes: Int64
        /// Its first process, and when that started: growth is looked for within one life of the service.
        var main: Int32
        var start: UInt64
    }

    private func resources() -> ([Check], Sample?) {
        var checks: [Check] = []
        if let space = try? Files.space(tree.root), space.total > 0 {
            checks.append(
                .bounded(
                    "disk", 100 * Double(space.total - space.free) / Double(space.total),
                    atMost: configuration.decimal("DISK_THRESHOLD"), "%", "remove old backups and logs"))
        }
        guard let state = try? operation.manager.state(), let main = state.main, let start = Processes.start(of: main)
        else {
            return (checks + [Check("resources", .skipped, "the service does not run")], nil)
        }
        var use = (bytes: Int64(0), ticks: 0.0, threads: 0, descriptors: 0)
        let page = Int64(sysconf(Int32(_SC_PAGESIZE)))
        for pid in state.processes {
            let statm = ProcFile.text("/proc/\(pid)/statm")?.split(separator: " ").compactMap { Int64($0) } ?? []
            if statm.count > 1 { use.bytes += statm[1] * page }
            if let fields = Processes.fields(of: pid), fields.count > 17 {
                use.ticks += (Double(fields[11]) ?? 0) + (Double(fields[12]) ?? 0)
                use.threads += Int(fields[17]) ?? 0
            }
            use.descriptors += ProcFile.numbers("/proc/\(pid)/fd").count
        }
        let perSecond = Double(sysconf(Int32(_SC_CLK_TCK)))
        let up = Double(ProcFile.text("/proc/uptime")?.prefix { $0 != " " } ?? "0") ?? 0
        let life = max(1, up - Double(start.ticks) / perSecond)
        let total =
            ProcFile.text("/proc/meminfo").flatMap { ProcFile.field("MemTotal:", in: $0) }
            .flatMap { Double($0.prefix { $0.isNumber }) }.map { $0 * 1024 } ?? 1
        checks += [
            .bounded(
                "cpu", 100 * use.ticks / perSecond / life, atMost: configuration.decimal("CPU_THRESHOLD"), "%",
                "the service is busy: py-spy dump --pid \(main)"),
            .bounded(
                "memory", 100 * Double(use.bytes) / total, atMost: configuration.decimal("MEMORY_THRESHOLD"), "%",
                "the service is large: restart it, or give it a bound in its unit"),
            .bounded(
                "threads", Double(use.threads), atMost: configuration.decimal("THREAD_THRESHOLD"), "threads",
                "look for threads that never end"),
            .bounded(
                "descriptors", Double(use.descriptors), atMost: configuration.decimal("DESCRIPTOR_THRESHOLD"),
                "descriptors",
                "look for files and channels that are never closed: ls -l /proc/\(main)/fd"),
        ]
        return (checks, Sample(time: Int64(time(nil)), bytes: use.bytes, main: main, start: start.ticks))
    }

    /// The slope of a straight line through the memory of this life of the service.
    private func growth(_ history: [Sample]) -> Check {
        let name = "memory growth"
        guard let last = history.last else { return Check(name, .skipped, "the service does not run") }
        let samples = history.filter { $0.main == last.main && $0.start == last.start }.suffix(1000)
        guard samples.count >= 5, let first = samples.first, last.time > first.time else {
            return Check(name, .skipped, "\(samples.count) of 5 validations of this life of the service so far")
        }
        let times = samples.map { Double($0.time - first.time) / 3600 }
        let sizes = samples.map { Double($0.bytes) / Double(1 << 20) }
        let (meanTime, meanSize) = (times.reduce(0, +) / Double(times.count), sizes.reduce(0, +) / Double(sizes.count))
        let spread = times.map { ($0 - meanTime) * ($0 - meanTime) }.reduce(0, +)
        let slope = zip(times, sizes).map { ($0 - meanTime) * ($1 - meanSize) }.reduce(0, +) / max(spread, 1e-12)
        // Over less than ten minutes start-up itself looks like a leak, so it is said but fails nothing.
        var check = Check.bounded(
            name, slope, atMost: configuration.decimal("MEMORY_LEAK_THRESHOLD"), "MiB/h",
            "memory grows steadily: look for a leak")
        if check.outcome == .failed, last.time - first.time < 600 { check.outcome = .warning }
        return check
    }
}
