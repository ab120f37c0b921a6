import ArgumentParser
import Deployments

/// `fracas deploy`.
struct DeployCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "deploy", abstract: "Deploys a release over a tree; whatever fails is rolled back.",
        discussion: """
            The new release is put together beside the tree and exchanged for the old one by one system call for each directory at \
            its top, under a write-ahead journal: a deployment that is broken off anywhere is completed or undone by the next command.

              fracas deploy --tree /opt/app --release /srv/app-fixed
              fracas deploy --tree /opt/app --dry-run

            A release that is in the tree already, was deployed there and serves, is left as it is: nothing is restarted, and the \
            answer has "changed" false. With --format json standard output carries one object with changed, outcome, exit, message, \
            from, to, backup, log and seconds, whatever happens; the steps go to standard error.

            Exit codes: 0 deployed, 1 failed and rolled back, 2 not begun, 3 the next command must go on with it, 130 interrupted.
            """)

    @OptionGroup var options: DeploymentOptions
    @Option(help: "The release's directory, which is laid over the tree; default: RELEASE_DIR.")
    var release: String?
    @Flag(help: "Only makes a backup.")
    var backupOnly = false
    @Flag(help: "Leaves the tests out.")
    var skipTests = false
    @Flag(help: "Says what would be done, and changes nothing.")
    var dryRun = false
    @Flag(help: "Deploys although the release is in the tree already and serves.")
    var force = false

    func run() async throws {
        let (tree, caller) = (try options.load(), options.caller)
        let chosen = Deployer.Options(
            release: release, backupOnly: backupOnly, skipTests: skipTests, dryRun: dryRun, force: force)
        try options.finish(try await options.blocking { try Deployer(tree, chosen, caller: caller).run() })
    }
}

/// `fracas rollback`.
struct RollbackCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rollback", abstract: "Brings a tree back to a backup.",
        discussion: """
            The backup is verified file by file before anything is touched, and a safety backup of the present state is made.

              fracas rollback latest --tree /opt/app
              fracas rollback deployment/backups/20260101_120000 --emergency
              fracas rollback latest --safety --tree /opt/app          # undoes the last rollback
            """)

    @Argument(
        help:
            "A backup's directory or name, or 'latest': the newest good one made before a deployment that differs from the tree."
    )
    var backup: String
    @OptionGroup var options: DeploymentOptions
    @Flag(help: "Kills the service's own processes instead of asking them to stop.")
    var emergency = false
    @Flag(help: "Goes back to what a rollback put aside: undoes that rollback. Without it such a backup is refused.")
    var safety = false
    @Flag(help: "Restores the backup although the tree is what it holds already and serves.")
    var force = false

    func run() async throws {
        let (tree, caller, backup) = (try options.load(), options.caller, backup)
        let (emergency, safety, force) = (emergency, safety, force)
        try options.finish(
            try await options.blocking {
                try Rollback(tree, to: backup, emergency: emergency, safety: safety, force: force, caller: caller).run()
            })
    }
}
