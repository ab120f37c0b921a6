import Foundation
import Glibc
import Testing

import Deployments

@Suite("Configuration of a deployment")
struct ConfigurationTests {
    private static let needed = "SERVICE_NAME=a\nAPI_PORT=5000\nSERVICE_COMMAND=true\n"

    private func read(
        _ main: String, local: String? = nil, environment: [String: String] = [:], overrides: [String] = []
    ) throws -> Configuration {
        let root = try scratchDirectory()
        defer { try? FileManager.default.removeItem(atPath: root) }
        let config = "\(root)/deployment/config"
        try FileManager.default.createDirectory(atPath: config, withIntermediateDirectories: true)
        try main.write(toFile: "\(config)/deployment.conf", atomically: true, encoding: .utf8)
        try local?.write(toFile: "\(config)/local.conf", atomically: true, encoding: .utf8)
        return try Configuration(tree: root, environment: environment, overrides: overrides)
    }

    private func complaint(_ main: String, overrides: [String] = []) -> String {
        do {
            _ = try read(main, overrides: overrides)
            return ""
        } catch { return "\(error)" }
    }

    @Test func laterSourcesGoOverEarlierOnes() throws {
        let main = Self.needed + "SERVICE_STOP_TIMEOUT=11\n"
        #expect(try read(main).whole("SERVICE_STOP_TIMEOUT") == 11)
        #expect(try read(Self.needed).whole("SERVICE_STOP_TIMEOUT") == 30)
        let local = "SERVICE_STOP_TIMEOUT=12"
        #expect(try read(main, local: local).whole("SERVICE_STOP_TIMEOUT") == 12)
        let environment = ["SERVICE_STOP_TIMEOUT": "13", "UNKNOWN": "x"]
        #expect(try read(main, local: local, environment: environment).whole("SERVICE_STOP_TIMEOUT") == 13)
        let all = try read(main, local: local, environment: environment, overrides: ["SERVICE_STOP_TIMEOUT=14"])
        #expect(all.whole("SERVICE_STOP_TIMEOUT") == 14)
        #expect(all.source(of: "SERVICE_STOP_TIMEOUT") == "--set SERVICE_STOP_TIMEOUT")
    }

    @Test func quotesCommentsAndPathsAreUnderstood() throws {
        let read = try read(
            Self.needed
                + "# a comment\n\n  DEPLOYMENT_TYPE=\"a # b\"  # what\nDEPLOYMENT_VERSION='1 2'\nBACKUP_DIR=\"${PROJECT_ROOT}/b\"\nLOG_DIR=l # where\n"
        )
        #expect(read["DEPLOYMENT_TYPE"] == "a # b")
        #expect(read["DEPLOYMENT_VERSION"] == "1 2")
        #expect(read.path("BACKUP_DIR") == "\(read.root)/b")
        #expect(read.path("LOG_DIR") == "\(read.root)/l")
        #expect(try self.read(Self.needed + "PYTHON=python3.13").python == "python3.13")
        let relative = try self.read(Self.needed + "PYTHON=env/bin/python")
        #expect(relative.python == "\(relative.root)/env/bin/python")
    }

    /// Every error names the file and the line.
    @Test(arguments: [
        ("SERVICE_STOP_TIMEOT=3", "unknown key 'SERVICE_STOP_TIMEOT'"), ("API_PORT=70000", "API_PORT is '70000'"),
        ("SERVICE_STOP_TIMEOUT=soon", "must be a whole number from 1 to 86400"),
        ("VERBOSE_LOGGING=maybe", "must be true or false"), ("FILE_PERMISSIONS=666", "no write for everyone"),
        ("HEALTH_ENDPOINT=health", "a path as /health"), ("RACE_ERROR_PATTERNS=\"(\"", "a regular expression"),
        ("PYTHON_VERSION=three", "a version as 3.13"), ("SERVICE_MANAGER=init", "one of: auto, systemd, supervisor"),
        ("BACKUP_COMPRESSION=true", "one of: false"), ("DEPLOYMENT_TYPE=$(id)", "only ${PROJECT_ROOT}"),
        ("DEPLOYMENT_TYPE=`id`", "only ${PROJECT_ROOT}"), ("LOG_DIR=${HOME}/l", "only ${PROJECT_ROOT}"),
        ("DEPLOYMENT_TYPE=\"open", "is not closed"), ("source other.conf", "is data, not a shell script"),
        ("DEPLOYMENT_TYPE=a\u{1B}[2J", "control character"), ("API_PORT=5001", "API_PORT was given in line 2 already"),
        ("PROJECT_ROOT=/elsewhere", "but the tree is"), ("SLACK_WEBHOOK=https://a", "one of: empty"),
    ])
    func whatIsWrongIsNamedWithItsLine(line: String, says: String) {
        let text = complaint(Self.needed + line)
        #expect(text.contains("/deployment.conf:4: "), "\(text)")
        #expect(text.contains(says), "\(text)")
    }

    /// A file of settings that is there but cannot be read is not the same as none.
    @Test func aLocalFileThatCannotBeReadIsAnError() throws {
        let root = try scratchDirectory()
        defer { try? FileManager.default.removeItem(atPath: root) }
        let config = "\(root)/deployment/config"
        try FileManager.default.createDirectory(atPath: "\(config)/local.conf", withIntermediateDirectories: true)
        try Self.needed.write(toFile: "\(config)/deployment.conf", atomically: true, encoding: .utf8)
        let error = #expect(throws: DeploymentError.self) {
            try Configuration(tree: root, environment: [:], overrides: [])
        }
        #expect(error?.description.contains("/local.conf: is there but cannot be read") ?? false)
        // Nor is a pipe, which would be waited for without an end.
        try FileManager.default.removeItem(atPath: "\(config)/local.conf")
        try #require(mkfifo("\(config)/local.conf", 0o640) == 0)
        let pipe = #expect(throws: DeploymentError.self) {
            try Configuration(tree: root, environment: [:], overrides: [])
        }
        #expect(pipe?.description.contains("/local.conf: is there but cannot be read") ?? false)
    }

    /// Files from Windows: its line ends, and the mark some editors put first.
    @Test func lineEndsOfWindows() throws {
        let main =
            "\u{FEFF}"
            + (Self.needed + "# a comment\n\nDEPLOYMENT_TYPE=\"a b\"\nSERVICE_STOP_TIMEOUT=11 # why\n")
            .replacingOccurrences(of: "\n", with: "\r\n")
        let read = try read(main, local: "API_PORT=5001\r\nDEPLOYMENT_TIMEOUT=600")
        #expect(read["SERVICE_NAME"] == "a" && read["DEPLOYMENT_TYPE"] == "a b")
        #expect(read.whole("API_PORT") == 5001 && read.whole("SERVICE_STOP_TIMEOUT") == 11)
        // The lines are counted as they are without.
        let wrong = complaint((Self.needed + "API_PORT=5001\n").replacingOccurrences(of: "\n", with: "\r\n"))
        #expect(wrong.contains("/deployment.conf:4: API_PORT was given in line 2 already"), "\(wrong)")
    }

    /// A carriage return alone ends no line, and is told as what it is.
    @Test func aCarriageReturnAloneIsTold() {
        let text = complaint(Self.needed.replacingOccurrences(of: "\n", with: "\r"))
        #expect(text.contains("/deployment.conf:1: a carriage return stands within the line"), "\(text)")
        #expect(complaint(Self.needed + "DEPLOYMENT_TYPE=a\rb").contains("/deployment.conf:4: a carriage return"))
    }

    @Test func allThatIsWrongIsToldAtOnce() {
        let text = complaint("API_PORT=x\nNO_SUCH=1\nMEMORY_THRESHOLD=-1\n", overrides: ["A=1", "b"])
        #expect(text.split(separator: "\n").count == 6, "\(text)")
        #expect(text.contains("SERVICE_NAME is missing"))
    }

    /// The kit's own file has every key but those of single machines, and is right.
    @Test func theKitsFileIsWhole() throws {
        let kit =
            URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().path + "/fixtures/exo/deployment/config/deployment.conf"
        let text = try String(contentsOfFile: kit, encoding: .utf8)
        _ = try read(text)
        let missing = Setting.all.map(\.name).filter { !text.contains("\n\($0)=") }
        #expect(missing == ["PROJECT_ROOT", "PYTHON"])
    }
}

/// A directory of the test's own.
func scratchDirectory() throws -> String {
    let path = "/var/tmp/fracas-test-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    return path
}
