import Foundation
import Glibc
import Platform

/// Whether the service answers, and whether it is the service that answers.
struct Health {
    let tree: DeploymentTree
    /// When the release came into the tree, as `Processes.now()` counts: what serves must have started since. nil: it need not.
    var since: UInt64?
    /// Seconds, as nanoseconds, for which it must be healthy without a break.
    var soak: Int64 = 0

    /// Asks once.
    /// - Returns: nil when it answered 200, else what it did instead.
    func ask(_ key: String = "HEALTH_ENDPOINT") -> String? {
        let path = tree.configuration[key]
        let port = tree.configuration.whole("API_PORT")
        do {
            let answer = try HTTPProbe.get(
                port: port, path: path, nanoseconds: tree.configuration.time("HEALTH_CHECK_TIMEOUT"))
            return answer.status == 200 ? nil : "http://127.0.0.1:\(port)\(path) answered \(answer.status)"
        } catch { return "http://127.0.0.1:\(port)\(path): \(error)" }
    }

    /// What is waited for.
    private struct Life {
        let main: Int32
        let handle: ProcessHandle
        let restarts: Int
    }

    /// Asks until the service of this tree answers 200, as long as the configuration says, and goes on asking for the soak.
    /// - Returns: what was seen, for a report.
    /// - Throws: `DeploymentError` when it does not, or the service ends meanwhile.
    @discardableResult
    func wait(
        _ manager: any ServiceManager, deadline: Int64, isStopped: () -> Bool
    ) throws(DeploymentError) -> String {
        let state = try manager.state()
        guard let main = state.main, let handle = try? ProcessHandle(pid: main) else { throw ended(manager, nil) }
        let life = Life(main: main, handle: handle, restarts: state.restarts)
        let retries = tree.configuration.whole("HEALTH_CHECK_RETRIES")
        var rhythm = Rhythm(most: tree.configuration.time("HEALTH_CHECK_INTERVAL"))
        var tries = 0
        var wasHealthy = false
        var last = "it was not asked"
        while true {
            tries += rhythm.isTry() ? 1 : 0
            if let trouble = try look(manager, life, isSoak: wasHealthy) {
                last = trouble
            } else {
                // A connection may be seen to break before the end of the process that it broke by.
                wasHealthy = soak > 0
                guard let broken = try remain(manager, life, isStopped) else { return proof(manager, life) }
                last = broken
            }
            if isStopped() {
                throw DeploymentError(.interrupted, "interrupted while the service was starting (\(last))")
            }
            if tries >= retries || Clock.now() >= deadline { break }
            // The time until the next look, ended early by the service's own end.
            if Wait.forInput(life.handle.descriptor, until: min(rhythm.next(), deadline)) {
                throw ended(manager, life, wasHealthy)
            }
        }
        throw DeploymentError(
            .validation,
            "the service is not healthy: \(last) after \(tries) tries or its SERVICE_START_TIMEOUT; its last messages: \(lastWords(manager))"
        )
    }

    /// One look: the answer, and who gave it.
    private func look(_ manager: any ServiceManager, _ life: Life, isSoak: Bool) throws(DeploymentError) -> String? {
        if life.handle.hasEnded { throw ended(manager, life, isSoak) }
        if let trouble = ask() { return trouble }
        // What answers could be a stranger on the port while ours is ending: ours must still be there.
        let state = try manager.state()
        guard state.main == life.main, state.restarts == life.restarts, !life.handle.hasEnded else {
            throw ended(manager, life, isSoak)
        }
        return Answerer(tree: tree, since: since).trouble(state) ?? Answerer(tree: tree, since: since).versionTrouble()
    }

    /// The soak.
    /// - Returns: how its health broke off; nil when it did not.
    private func remain(
        _ manager: any ServiceManager, _ life: Life, _ isStopped: () -> Bool
    ) throws(DeploymentError) -> String? {
        let end = Clock.now() + soak
        guard soak > 0 else { return nil }
        let rhythm = Rhythm(most: min(tree.configuration.time("HEALTH_CHECK_INTERVAL"), 1_000_000_000))
        while Clock.now() < end {
            if isStopped() { throw DeploymentError(.interrupted, "interrupted during the service's HEALTH_SOAK") }
            if Wait.forInput(life.handle.descriptor, until: min(rhythm.next(), end)) {
                throw ended(manager, life, true)
            }
            if let trouble = try look(manager, life, isSoak: true) {
                return "\(trouble), within HEALTH_SOAK after it was healthy"
            }
        }
        return nil
    }

    private func proof(_ manager: any ServiceManager, _ life: Life) -> String {
        let soaked = soak > 0 ? ", healthy for \(tree.configuration["HEALTH_SOAK"]) s without a break" : ""
        return
            "process \(life.main) under \(manager.name) answers\(soaked); \(Answerer(tree: tree, since: since).basis)"
    }

    private func ended(_ manager: any ServiceManager, _ life: Life?, _ isSoak: Bool = false) -> DeploymentError {
        var text = "the service ended instead of serving"
        if isSoak {
            text = "the service ended within HEALTH_SOAK (\(tree.configuration["HEALTH_SOAK"]) s) after it was healthy"
        }
        if let state = try? manager.state(), let life {
            if state.restarts != life.restarts || (state.main != nil && state.main != life.main) {
                text += ", and was started again"
            }
        }
        if let who = PortGuard(tree: tree, manager: manager).stranger() { text += "; \(who), not by the service" }
        return DeploymentError(.service, "\(text); its last messages: \(lastWords(manager))")
    }

    private func lastWords(_ manager: any ServiceManager) -> String {
        let lines = (try? manager.messages(since: Int64(time(nil)) - 60)) ?? []
        let last = lines.suffix(3).map { Text.plain(String($0.prefix(300))) }
        return last.isEmpty ? "none" : last.joined(separator: " | ")
    }
}

/// When health is asked for: often at first, later as far apart as the configuration says. A look counts as a try when that much
/// time has passed since the last that did.
package struct Rhythm {
    /// Nanoseconds between two looks: at least, and at most.
    private static let least: Int64 = 5_000_000
    private let most: Int64
    private let began = Clock.now()
    private var lastTry: Int64?

    init(most: Int64) { self.most = most }

    /// Whether a look now counts as a try.
    mutating func isTry() -> Bool {
        let now = Clock.now()
        if let lastTry, now - lastTry < most { return false }
        lastTry = now
        return true
    }

    /// When to look again: after a tenth of the time that has passed, so that what has just become healthy is soon seen to be.
    func next() -> Int64 {
        let now = Clock.now()
        return now + Self.pause(after: now - began, most: most)
    }

    package static func pause(after elapsed: Int64, most: Int64) -> Int64 { min(most, max(least, elapsed / 10)) }
}
