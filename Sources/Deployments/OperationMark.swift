import Glibc
import Platform

/// What the commands of an operation carry in their environment, and with them everything they start, whatever session or group
/// that makes for itself: nothing of them may write to the tree once they were over, or the operation was.
struct OperationMark {
    static let variable = "FRACAS_OPERATION"
    /// How long what was killed has to be gone.
    private static let patience: Int64 = 10_000_000_000
    let tree: DeploymentTree

    private var setting: String { "\(Self.variable)=\(tree.directory)" }

    /// Those that carry it now, without ourselves: an operation may have been called by what another one left.
    private func carriers() -> [Int32] { Processes.having(setting).filter { $0 != getpid() } }

    /// Ends every process that carries it, and waits until they are gone.
    /// - Returns: how many there were.
    /// - Throws: `DeploymentError` when one does not end.
    @discardableResult
    func endAll() throws(DeploymentError) -> Int {
        let deadline = Clock.now() + Self.patience
        var ended: Set<Int32> = []
        // A process in its fork or exec is not seen for a moment, so it takes two looks that find none.
        var clear = 0
        while clear < 2 {
            let found = carriers()
            clear = found.isEmpty ? clear + 1 : 0
            guard Clock.now() < deadline || found.isEmpty else {
                throw DeploymentError(
                    .unsettled,
                    "processes \(found.map(String.init).joined(separator: ", ")), which INSTALL_COMMAND or TEST_COMMAND of '\(tree.root)' left, do not end by SIGKILL: end them as root, or see whether they wait for a disk, then call this again"
                )
            }
            // The handle first, then another look: by then the number may mean another process.
            let handles = found.compactMap { pid -> ProcessHandle? in
                guard let handle = try? ProcessHandle(pid: pid), Processes.has(setting, pid) else { return nil }
                return handle
            }
            for handle in handles { try? handle.send(SIGKILL) }
            for handle in handles { _ = Wait.forInput(handle.descriptor, until: deadline) }
            ended.formUnion(found)
        }
        return ended.count
    }
}
