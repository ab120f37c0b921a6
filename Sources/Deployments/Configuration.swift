import Foundation
import Glibc

/// The settings that hold: `config/deployment.conf`, over that `config/local.conf`, over that the environment, over that
/// options. The files are read as data; nothing in them is ever run.
public struct Configuration: Sendable {
    /// Where a value comes from: a file and line, the environment, an option.
    public struct Source: Sendable, CustomStringConvertible {
        /// As an error names it.
        public let description: String
    }

    /// The tree's absolute path.
    public let root: String
    /// Every key that was met, with a good value or not.
    private var given: Set<String> = []
    private var values: [String: (text: String, source: Source)] = [:]

    /// Reads the settings of a tree.
    /// - Parameter overrides: `KEY=value`, as given on the command line.
    /// - Throws: everything that is wrong, one to a line.
    public init(tree root: String, environment: [String: String], overrides: [String]) throws(DeploymentError) {
        self.root = root
        var problems: [String] = []
        let directory = "\(root)/deployment/config"
        let main = "\(directory)/deployment.conf"
        guard let text = Self.text(main) else {
            throw DeploymentError(
                .configuration,
                "\(main): cannot be read; 'fracas kit install \(root)' puts the deployment kit into the tree")
        }
        read(text, main, &problems)
        let local = "\(directory)/local.conf"
        if let text = Self.text(local) {
            read(text, local, &problems)
        } else if access(local, F_OK) == 0 || errno != ENOENT {
            problems.append(
                "\(local): is there but cannot be read: make it a readable file of less than 1 MiB, or remove it")
        }
        for setting in Setting.all {
            if let value = environment[setting.name] {
                take(setting.name, value, Source(description: "environment variable \(setting.name)"), &problems)
            }
        }
        for override in overrides {
            let parts = override.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else {
                problems.append("--set '\(override)': must be KEY=value")
                continue
            }
            take(String(parts[0]), String(parts[1]), Source(description: "--set \(parts[0])"), &problems)
        }
        for setting in Setting.all where values[setting.name] == nil {
            if let standard = setting.standard {
                values[setting.name] = (standard, Source(description: "the default"))
            } else if !given.contains(setting.name) {
                problems.append("\(main): \(setting.name) is missing: \(setting.meaning)")
            }
        }
        if !self["VERSION_ENDPOINT"].isEmpty, self["VERSION_FILE"].isEmpty {
            problems.append(
                "\(source(of: "VERSION_ENDPOINT")): VERSION_ENDPOINT is given without a VERSION_FILE: name the file of the tree that has the version"
            )
        }
        let claimed = self["PROJECT_ROOT"]
        if !claimed.isEmpty, URL(fileURLWithPath: claimed).standardizedFileURL.path != root {
            problems.append(
                "\(values["PROJECT_ROOT"]?.source.description ?? main): PROJECT_ROOT is '\(claimed)', but the tree is '\(root)': remove the line or move the tree"
            )
        }
        guard problems.isEmpty else {
            throw DeploymentError(.configuration, problems.prefix(100).joined(separator: "\n"))
        }
    }

    private static func text(_ path: String) -> String? {
        // A configuration is a page; something vast under its name is not one.
        guard let data = FileManager.default.contents(atPath: path), data.count < 1 << 20 else { return nil }
        return String(decoding: data, as: UTF8.self)
    }

    // MARK: values

    /// A value as text, with `${KEY}` replaced.
    public subscript(_ name: String) -> String { values[name]?.text ?? "" }

    /// Where a value comes from.
    public func source(of name: String) -> String { values[name]?.source.description ?? "the default" }

    package func whole(_ name: String) -> Int { Int(self[name]) ?? 0 }
    func decimal(_ name: String) -> Double { Double(self[name]) ?? 0 }
    func flag(_ name: String) -> Bool { Self.flag(self[name]) ?? false }
    func mode(_ name: String) -> UInt32 { UInt32(self[name], radix: 8) ?? 0o640 }
    /// Seconds as nanoseconds.
    func time(_ name: String) -> Int64 { Int64(decimal(name) * 1e9) }

    /// A path; a relative one starts at the tree; nil when it is empty.
    public func path(_ name: String) -> String? {
        let text = self[name]
        guard !text.isEmpty else { return nil }
        return URL(fileURLWithPath: text.hasPrefix("/") ? text : "\(root)/\(text)").standardizedFileURL.path
    }

    /// A command in words, with `{root}` and `{python}` replaced in each; there is no other quoting than white space.
    func words(_ name: String) -> [String] {
        self[name].split(whereSeparator: \.isWhitespace).map {
            $0.replacingOccurrences(of: "{root}", with: root).replacingOccurrences(of: "{python}", with: python)
        }
    }

    /// The interpreter's path, or a name to look for in `PATH`.
    public var python: String {
        // A name alone is looked for in PATH, as it comes from environments that set PYTHON for everyone.
        let given = self["PYTHON"]
        if !given.isEmpty { return given.contains("/") ? path("PYTHON") ?? given : given }
        let own = "\(root)/.venv/bin/python"
        return FileManager.default.isExecutableFile(atPath: own) ? own : "python3"
    }

    // MARK: reading

    private mutating func read(_ text: String, _ path: String, _ problems: inout [String]) {
        var seen: [String: Int] = [:]
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let place = "\(path):\(index + 1)"
            let bare = line.drop { $0 == " " || $0 == "\t" }
            guard !bare.isEmpty, !bare.hasPrefix("#"), bare != "\r" else { continue }
            guard let equals = bare.firstIndex(of: "=") else {
                problems.append(
                    "\(place): '\(bare.prefix(60))' is not KEY=value; this file is data, not a shell script")
                continue
            }
            let name = String(bare[..<equals])
            guard let value = Self.unquoted(bare[bare.index(after: equals)...]) else {
                problems.append(
                    "\(place): the value of \(name) is not closed or has something after it: write \(name)=\"value\"")
                continue
            }
            if let before = seen.updateValue(index + 1, forKey: name) {
                problems.append("\(place): \(name) was given in line \(before) already: remove one of them")
            }
            take(name, value, Source(description: place), &problems)
        }
    }

    /// What stands after the equals sign, without quotes and without a comment behind it.
    private static func unquoted(_ text: Substring) -> String? {
        let text = text.last == "\r" ? text.dropLast() : text
        guard let quote = text.first, quote == "\"" || quote == "'" else {
            var end = text.endIndex
            if text.hasPrefix("#") { end = text.startIndex }
            for mark in [" #", "\t#"] {
                if let range = text.range(of: mark), range.lowerBound < end { end = range.lowerBound }
            }
            let value = text[..<end].trimmingCharacters(in: .whitespaces)
            return value.contains(where: { $0 == "\"" || $0 == "'" }) ? nil : value
        }
        let rest = text.dropFirst()
        guard let close = rest.firstIndex(of: quote) else { return nil }
        let after = rest[rest.index(after: close)...].trimmingCharacters(in: .whitespaces)
        return after.isEmpty || after.hasPrefix("#") ? String(rest[..<close]) : nil
    }

    private mutating func take(_ name: String, _ text: String, _ source: Source, _ problems: inout [String]) {
        given.insert(name)
        guard let setting = Setting.named(name) else {
            let near = Setting.all.map(\.name).first {
                $0.replacingOccurrences(of: "_", with: "") == name.uppercased().replacingOccurrences(of: "_", with: "")
                    || (name.count > 3 && $0.hasPrefix(name)) || (name.count > 5 && name.hasPrefix($0))
            }
            let hint = near.map { "; did you mean \($0)?" } ?? "; the keys are in the guide, deployment/docs"
            problems.append("\(source): unknown key '\(name)'\(hint)")
            return
        }
        var value = text
        for known in ["PROJECT_ROOT", "RELEASE_DIR", "BACKUP_DIR", "LOG_DIR", "SERVICE_NAME"] where value.contains("${")
        {
            let given = known == "PROJECT_ROOT" ? root : self[known]
            value = value.replacingOccurrences(of: "${\(known)}", with: given)
        }
        if value.contains("${") || value.contains("$(") || value.contains("`") {
            problems.append(
                "\(source): \(name) is '\(text)': only ${PROJECT_ROOT} and paths given above it can stand in a value")
        } else if value.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) {
            problems.append("\(source): \(name) contains a control character")
        } else if let fault = setting.kind.fault(in: value) {
            problems.append("\(source): \(name) is '\(value)', but must be \(fault)")
        } else {
            values[name] = (value, source)
        }
    }

    fileprivate static func flag(_ text: String) -> Bool? {
        ["true": true, "yes": true, "1": true, "false": false, "no": false, "0": false][text.lowercased()]
    }
}

extension Setting.Kind {
    /// What a value would have to be, when it is not.
    func fault(in value: String) -> String? {
        switch self {
        case .text, .path: return nil
        case .whole(let range):
            if let number = Int(value), range.contains(number) { return nil }
            return "a whole number from \(range.lowerBound) to \(range.upperBound)"
        case .decimal:
            if let number = Double(value), number.isFinite, number >= 0, number < 1e9 { return nil }
            return "a number, 0 or more"
        case .flag: return Configuration.flag(value) == nil ? "true or false" : nil
        case .words(let words):
            let list = words.map { $0.isEmpty ? "empty" : $0 }.joined(separator: ", ")
            return words.contains(value) ? nil : "one of: \(list)"
        case .mode:
            if let mode = UInt32(value, radix: 8), mode <= 0o777, mode & 0o002 == 0, mode & 0o600 == 0o600 {
                return nil
            }
            return "octal permissions as 640: read and write for the owner, no write for everyone"
        case .pattern:
            return value.isEmpty || (try? Regex(value)) != nil ? nil : "a regular expression"
        case .endpoint:
            return value.hasPrefix("/") && !value.contains(where: \.isWhitespace) ? nil : "a path as /health"
        case .endpointOrEmpty:
            return value.isEmpty ? nil : Setting.Kind.endpoint.fault(in: value).map { "empty or \($0)" }
        case .version:
            let parts = value.split(separator: ".").map { Int($0) }
            return (1...3).contains(parts.count) && parts.allSatisfy { $0 != nil } ? nil : "a version as 3.13"
        }
    }
}
