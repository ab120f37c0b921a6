import Foundation
import Glibc
import Platform

/// Whether the service answers.
struct Health {
    let tree: DeploymentTree

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

    /// Asks until it answers 200, as often and as long as the configuration says.
    /// - Throws: `DeploymentError` when it does not, or the service ends meanwhile.
    func wait(_ manager: any ServiceManager, deadline: Int64, isStopped: () -> Bool) throws(DeploymentError) {
        let retries = tree.configuration.whole("HEALTH_CHECK_RETRIES")
        let interval = tree.configuration.time("HEALTH_CHECK_INTERVAL")
        var last = "it was not asked"
        for attempt in 1...retries {
            let state = try manager.state()
            guard let main = state.main, let handle = try? ProcessHandle(pid: main) else {
                throw DeploymentError(
                    .service, "the service ended instead of serving; its last messages: \(lastWords(manager))")
            }
            guard let trouble = ask() else {
                // What answers could be a stranger on the port while ours is ending: ours must still be there.
                if try manager.state().main == main { return }
                continue
            }
            last = trouble
            if isStopped() {
                throw DeploymentError(.interrupted, "interrupted while the service was starting (\(last))")
            }
            let next = min(Clock.now() + interval, deadline)
            if attempt == retries || Clock.now() >= deadline { break }
            // The interval that the configuration asks for, ended early by the service's own end.
            _ = Wait.forInput(handle.descriptor, until: next)
        }
        throw DeploymentError(
            .validation,
            "the service is not healthy: \(last) after \(retries) tries or its SERVICE_START_TIMEOUT; its last messages: \(lastWords(manager))"
        )
    }

    private func lastWords(_ manager: any ServiceManager) -> String {
        let lines = (try? manager.messages(since: Int64(time(nil)) - 60)) ?? []
        let last = lines.suffix(3).map { Text.plain(String($0.prefix(300))) }
        return last.isEmpty ? "none" : last.joined(separator: " | ")
    }
}
