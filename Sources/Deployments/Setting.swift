/// A key of `deployment.conf`: what its value must be, and what holds without one.
public struct Setting: Sendable {
    /// What a value must be.
    enum Kind: Sendable {
        case text
        /// A path; a relative one starts at the tree.
        case path
        /// Whole seconds, or another whole number, within bounds.
        case whole(ClosedRange<Int>)
        /// A number, not negative.
        case decimal
        case flag
        case words([String])
        /// Permissions in octal digits, not writable for everyone.
        case mode
        case pattern
        /// Begins with a slash.
        case endpoint
        /// Likewise, or empty.
        case endpointOrEmpty
        /// A version as `3.13`.
        case version
    }

    /// Its name.
    public let name: String
    let kind: Kind
    /// The value that holds when no file gives one; nil where one must.
    public let standard: String?
    /// What it is for, with its unit.
    public let meaning: String

    private init(_ name: String, _ kind: Kind, _ standard: String?, _ meaning: String) {
        self.name = name
        self.kind = kind
        self.standard = standard
        self.meaning = meaning
    }

    /// The key of this name; nil when there is none.
    static func named(_ name: String) -> Setting? { byName[name] }

    private static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })
    private static let seconds = Kind.whole(1...86_400)

    /// Every key there is.
    public static let all: [Setting] = [
        Setting("DEPLOYMENT_TYPE", .text, "release", "what kind of change this is, for reports"),
        Setting("DEPLOYMENT_VERSION", .text, "", "its version, for reports"),
        Setting("DEPLOYMENT_TIMEOUT", seconds, "300", "seconds a deployment may take in all; then it is rolled back"),
        Setting("ROLLBACK_TIMEOUT", seconds, "180", "seconds a rollback may take in all"),
        Setting("PROJECT_ROOT", .text, "", "the tree; empty means the one that the commands name"),
        Setting("RELEASE_DIR", .path, "", "what a deployment lays over the tree"),
        Setting("BACKUP_DIR", .path, "deployment/backups", "where backups are kept"),
        Setting("LOG_DIR", .path, "deployment/logs", "where logs and reports are kept"),
        Setting("BACKUP_RETENTION_DAYS", .whole(1...36_500), "30", "days after which a backup may be removed"),
        Setting("BACKUP_COMPRESSION", .words(["false"]), "false", "only false: each file can be verified by itself"),
        Setting("BACKUP_VERIFICATION", .flag, "true", "whether a backup is read again and compared when it was made"),
        Setting("LOG_RETENTION_HOURS", .whole(1...876_000), "168", "hours after which a log or report is removed"),
        Setting("SERVICE_NAME", .text, nil, "the unit's name, and what reports call the service"),
        Setting(
            "SERVICE_MANAGER", .words(["auto", "systemd", "supervisor"]), "auto",
            "who starts and stops the service; auto is systemd where it runs and knows the unit"),
        Setting("SERVICE_COMMAND", .text, "", "the supervisor's command, in words; {root} and {python} stand for them"),
        Setting("SERVICE_ENVIRONMENT", .text, "", "NAME=value words for the supervisor's command"),
        Setting(
            "SERVICE_ENV_PREFIX", .text, "",
            "prefix under which the shutdown settings and API_PORT are given to the service; empty: they are not"),
        Setting("SERVICE_USER", .text, "", "who the supervisor runs the service as; empty: whoever deploys"),
        Setting("SERVICE_GROUP", .text, "", "the service's group; empty: the user's own"),
        Setting("SERVICE_STOP_TIMEOUT", seconds, "30", "seconds the service has to stop by itself"),
        Setting("SERVICE_START_TIMEOUT", seconds, "60", "seconds the service has until it is healthy"),
        Setting("SERVICE_RESTART_DELAY", .whole(0...3600), "0", "seconds between stopping and starting"),
        Setting(
            "SERVICE_RESTART", .words(["on-failure", "no"]), "on-failure",
            "whether the supervisor starts a service again that crashed"),
        Setting(
            "SERVICE_RESTART_BACKOFF", .decimal, "1", "seconds before it does so, doubled each time, up to a minute"),
        Setting("SERVICE_RESTART_LIMIT", .whole(0...1000), "5", "how often within SERVICE_RESTART_INTERVAL at most"),
        Setting("SERVICE_RESTART_INTERVAL", seconds, "120", "seconds after which a restart does not count any more"),
        Setting(
            "FORCE_STOP", .flag, "false", "whether what does not stop by itself is killed; false: the deployment fails"),
        Setting("API_PORT", .whole(1...65_535), nil, "the service's port on the loopback address"),
        Setting("HEALTH_ENDPOINT", .endpoint, "/health", "must answer 200"),
        Setting("STATE_ENDPOINT", .endpoint, "/state", "must answer 200"),
        Setting("DASHBOARD_ENDPOINT", .endpoint, "/", "must answer 200"),
        Setting(
            "HEALTH_CHECK_RETRIES", .whole(1...10_000), "10",
            "how often health is asked for, HEALTH_CHECK_INTERVAL apart"),
        Setting(
            "HEALTH_CHECK_INTERVAL", .decimal, "5",
            "seconds between two tries; between them health is asked at short, growing intervals that do not count"),
        Setting("HEALTH_CHECK_TIMEOUT", .decimal, "5", "seconds one answer may take"),
        Setting(
            "HEALTH_SOAK", .decimal, "10",
            "seconds for which the service must be healthy without a break, and not be started again, to be accepted"),
        Setting(
            "HEALTH_OWNER", .words(["service", "any"]), "service",
            "whose answer counts: only the service's, or anyone's, where a proxy or container answers for it"),
        Setting(
            "VERSION_ENDPOINT", .endpointOrEmpty, "",
            "where the service says its version; empty: its release is told by the tree it runs from"),
        Setting("VERSION_FILE", .path, "", "the file of the tree whose content is the version that must be said"),
        Setting(
            "VERSION_PATTERN", .pattern, "",
            "its first group is the version in what VERSION_ENDPOINT answers; empty: the answer is"),
        Setting("VALIDATION_TIMEOUT", seconds, "120", "seconds the tests, and a validation, may take"),
        Setting("ROLLBACK_VALIDATION_TIMEOUT", seconds, "60", "seconds the validation after a rollback may take"),
        Setting("VALIDATION_INTERVAL", .decimal, "60", "seconds between two validations with --continuous"),
        Setting("SHUTDOWN_TIMEOUT", seconds, "30", "the service's own: seconds its shutdown may take"),
        Setting("RESOURCE_CLEANUP_TIMEOUT", seconds, "10", "the service's own: seconds for cleaning up"),
        Setting("CHANNEL_DRAIN_TIMEOUT", seconds, "5", "the service's own: seconds for draining a channel"),
        Setting(
            "ERROR_THRESHOLD", .whole(0...1_000_000), "0", "error lines from which on a validation fails, less one"),
        Setting("RACE_ERROR_PATTERNS", .pattern, "", "what counts as an error line"),
        Setting("MEMORY_THRESHOLD", .decimal, "80", "percent of the machine's memory the service may use"),
        Setting("CPU_THRESHOLD", .decimal, "90", "percent of one processor, since the service started"),
        Setting("DISK_THRESHOLD", .decimal, "90", "percent of the tree's file system that may be in use"),
        Setting("THREAD_THRESHOLD", .whole(1...1_000_000), "500", "threads the service may have"),
        Setting("DESCRIPTOR_THRESHOLD", .whole(1...10_000_000), "4096", "descriptors the service may have open"),
        Setting("RESPONSE_TIME_THRESHOLD", .decimal, "1000", "milliseconds, of the 95th percentile of answers"),
        Setting("RESPONSE_SAMPLES", .whole(1...10_000), "20", "how many answers are timed"),
        Setting("MEMORY_LEAK_THRESHOLD", .decimal, "64", "MiB an hour that memory may grow, over five validations"),
        Setting("MULTI_NODE_TRIALS", .whole(0...100_000), "0", "trials of the multi-node check; 0 leaves it out"),
        Setting(
            "PYTHON", .path, "",
            "the interpreter, a path or a name in PATH; empty: the tree's .venv/bin/python, else python3 of PATH"),
        Setting("PYTHON_VERSION", .version, "3.11", "the oldest version that will do"),
        Setting("REQUIRE_VENV", .flag, "false", "whether a deployment needs the tree's own virtual environment"),
        Setting("REQUIRED_MEMORY_GB", .decimal, "0", "memory that must be available, in GiB"),
        Setting("REQUIRED_DISK_GB", .decimal, "0", "disk space that must be free, in GiB"),
        Setting("INSTALL_COMMAND", .text, "", "run in the tree after the change, in words; empty: nothing to install"),
        Setting(
            "TEST_COMMAND", .text, "{python} -m pytest -q -p no:cacheprovider src",
            "run in the tree after the change, in words"),
        Setting("FILE_PERMISSIONS", .mode, "640", "of backups, logs and reports"),
        Setting("DIR_PERMISSIONS", .mode, "750", "of their directories"),
        Setting("AUTO_ROLLBACK_ON_FAILURE", .flag, "true", "whether a failed change is undone at once, not on demand"),
        Setting("SKIP_TESTS", .flag, "false", "whether the tests are left out"),
        Setting("SKIP_VALIDATION", .flag, "false", "whether only health is asked for after a change"),
        Setting("DRY_RUN", .flag, "false", "whether a deployment only says what it would do"),
        Setting("VERBOSE_LOGGING", .flag, "false", "whether every step goes to the terminal too"),
        Setting("NOTIFY_ON_SUCCESS", .flag, "false", "whether NOTIFY_COMMAND is run after a success"),
        Setting("NOTIFY_ON_FAILURE", .flag, "false", "whether NOTIFY_COMMAND is run after a failure"),
        Setting("NOTIFY_COMMAND", .text, "", "in words; the report's path is added as the last one"),
        Setting("NOTIFICATION_EMAIL", .words([""]), "", "only empty: send mail from NOTIFY_COMMAND"),
        Setting("SLACK_WEBHOOK", .words([""]), "", "only empty: post from NOTIFY_COMMAND"),
    ]
}
