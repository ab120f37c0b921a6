/// The error type of this module: what was attempted, on which file or with which value, why it failed, what to do.
public struct DeploymentError: Error, CustomStringConvertible, Sendable {
    /// What kind of failure it is.
    public struct Code: Sendable, Hashable {
        let name: String
        /// The configuration or a command's argument is wrong.
        public static let configuration = Code(name: "configuration")
        /// The environment is not as a deployment needs it; nothing was changed.
        public static let environment = Code(name: "environment")
        /// Another operation has the tree.
        public static let busy = Code(name: "busy")
        /// A backup or the journal is not what was written.
        public static let damaged = Code(name: "damaged")
        /// A file could not be read or written.
        public static let files = Code(name: "files")
        /// The service could not be started, stopped or looked at.
        public static let service = Code(name: "service")
        /// The new release did not prove itself.
        public static let validation = Code(name: "validation")
        /// A signal asked for the end, or the time was over.
        public static let interrupted = Code(name: "interrupted")
        /// What was begun could be neither completed nor undone yet: the next command goes on with it.
        public static let unsettled = Code(name: "unsettled")
    }

    /// What kind of failure it is.
    public let code: Code
    /// What was attempted, why it failed, what to do.
    public let description: String

    /// Makes an error.
    public init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }
}
