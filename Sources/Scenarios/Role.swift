/// The name of one process in a topology: segments `name[index]`, a child's after its parent's: `node[0].runner[1]`.
public struct Role: Codable, Sendable, Hashable, CustomStringConvertible {
    /// One level of a role.
    public struct Segment: Sendable, Hashable {
        /// The name, without its index.
        public var name: String
        /// The index, from 0.
        public var index: Int
    }

    /// The levels, outermost first; never empty.
    public let segments: [Segment]
    /// The role as it is written.
    public let description: String

    /// A top-level role.
    public init(_ name: String, _ index: Int) {
        self.init(segments: [Segment(name: name, index: index)])
    }

    private init(segments: [Segment]) {
        self.segments = segments
        self.description = segments.map { "\($0.name)[\($0.index)]" }.joined(separator: ".")
    }

    /// Parses a full role, every segment with its index; nil when `text` is not one.
    public init?(parsing text: String) {
        guard let pattern = RolePattern(parsing: text) else { return nil }
        var segments: [Segment] = []
        for segment in pattern.segments {
            guard let index = segment.index else { return nil }
            segments.append(Segment(name: segment.name, index: index))
        }
        self.init(segments: segments)
    }

    /// The role of this role's child `name` number `index`.
    public func child(_ name: String, _ index: Int) -> Role {
        Role(segments: segments + [Segment(name: name, index: index)])
    }

    /// The role without its indices, the same for all of its kind: `node.runner`.
    public var general: String { segments.map(\.name).joined(separator: ".") }

    /// The roles above this one, nearest first.
    public var ancestors: [Role] {
        (1..<max(1, segments.count)).reversed().map { Role(segments: Array(segments.prefix($0))) }
    }

    /// Reads the role from its written form.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let role = Role(parsing: text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "'\(text)' is not a role")
        }
        self = role
    }

    /// Writes the role as text.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// A pattern over roles. A segment without an index (or with `[*]`) matches every index; a pattern with fewer segments
/// than a role is held against the role's last ones, so `runner[1]` matches `node[0].runner[1]`.
public struct RolePattern: Codable, Sendable, Hashable, CustomStringConvertible {
    /// One level of a pattern.
    public struct Segment: Sendable, Hashable {
        /// The name it must have.
        public var name: String
        /// The index it must have; nil matches any.
        public var index: Int?
    }

    /// The levels, outermost first; never empty.
    public let segments: [Segment]
    /// The pattern as it was written.
    public let description: String

    /// Parses a pattern; nil when `text` is not one.
    public init?(parsing text: String) {
        var segments: [Segment] = []
        for part in text.split(separator: ".", omittingEmptySubsequences: false) {
            guard let segment = Self.segment(part) else { return nil }
            segments.append(segment)
        }
        guard !segments.isEmpty else { return nil }
        self.segments = segments
        self.description = text
    }

    /// The pattern that matches exactly this role.
    public init(_ role: Role) {
        self.segments = role.segments.map { Segment(name: $0.name, index: $0.index) }
        self.description = role.description
    }

    private static func segment(_ part: Substring) -> Segment? {
        let bracket = part.firstIndex(of: "[") ?? part.endIndex
        let name = part[..<bracket]
        guard let first = name.first, first.isLetter,
            name.allSatisfy({ $0.isLetter || $0.isNumber || $0 == "-" || $0 == "_" })
        else { return nil }
        guard bracket != part.endIndex else { return Segment(name: String(name), index: nil) }
        guard part.last == "]" else { return nil }
        let inside = part[part.index(after: bracket)..<part.index(before: part.endIndex)]
        if inside == "*" { return Segment(name: String(name), index: nil) }
        guard let index = Int(inside), index >= 0 else { return nil }
        return Segment(name: String(name), index: index)
    }

    /// Whether the pattern matches this role.
    public func matches(_ role: Role) -> Bool {
        guard role.segments.count >= segments.count else { return false }
        for (segment, level) in zip(segments, role.segments.suffix(segments.count)) {
            guard segment.name == level.name, segment.index == nil || segment.index == level.index else { return false }
        }
        return true
    }

    /// Reads the pattern from its written form.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let pattern = RolePattern(parsing: text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "'\(text)' is not a role pattern")
        }
        self = pattern
    }

    /// Writes the pattern as text.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
