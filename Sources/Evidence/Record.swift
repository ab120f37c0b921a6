public import Scenarios

/// One entry of a trial's ledger: a JSON object on a line of its own, in the order things were observed.
public struct Record: Codable, Sendable, Equatable {
    /// Its place in the ledger, from 0, without gaps.
    public var seq: Int
    /// When, in nanoseconds of the monotonic clock since the trial began.
    public var time: Int64
    /// What was observed.
    public var event: Event

    /// Makes a record.
    public init(seq: Int, time: Int64, event: Event) {
        self.seq = seq
        self.time = time
        self.event = event
    }
}

/// What a ledger can say. In JSON each is an object under its own name: `{"seq":7,"time":81,"event":{"exit":{…}}}`.
public enum Event: Codable, Sendable, Equatable {
    /// The first record: what is tried, and all that a checker needs to know of it. Indirect, for it is large and the others
    /// are many.
    indirect case trial(Header)
    /// A step began or ended.
    case step(StepChange)
    /// A process came to life, or took on a new program or role.
    case process(Birth)
    /// A process ended.
    case exit(Exit)
    /// A line of output.
    case line(Line)
    /// A mark that a target wrote.
    case mark(Mark)
    /// A named point was reached.
    case point(Reached)
    /// A fault was injected, or could not be.
    case fault(Injection)
    /// The harness sent a signal for a step.
    case signal(SignalSent)
    /// A step missed its deadline, or the trial its limit.
    case hang(Hang)
    /// Where one thread was stuck at a hang.
    case stuck(StuckThread)
    /// What a process held at its exit.
    case holdings(Holdings)
    /// Which calls of a process were intercepted.
    case tally(Tally)
    /// A process does things that no filter sees.
    case unseen(Unseen)
    /// What signals did to calls before the gate had received them.
    case brokenCalls(BrokenCalls)
    /// What was there at the end of the trial, before it was torn down.
    case census(Census)
    /// Evidence was lost.
    case lost(Loss)
    /// The harness could not do its work.
    case trouble(Trouble)
    /// Something befell the trial from outside.
    case disturbed(Disturbance)
    /// From here on the harness itself interferes (stack dumps, teardown): later records describe, they do not accuse.
    case autopsy
    /// The last record of a complete ledger.
    case end(End)
}

/// What a trial is of.
public struct Header: Codable, Sendable, Equatable {
    /// The version of the ledger's format; readers refuse another.
    public var format: Int
    /// The trial's number in its run, from 1.
    public var trial: Int
    /// The trial's own seed.
    public var seed: UInt64
    /// The scenario, whole.
    public var scenario: Scenario
    /// The target's path.
    public var target: String?
    /// The target's release.
    public var release: String?
    /// The control that was laid over the target: a directory.
    public var control: String?
    /// Whether processes that the scenario lets be started warm were; absent for no.
    public var isWarm: Bool?

    /// The format this version writes and reads.
    public static let currentFormat = 6

    /// Makes a header.
    public init(
        format: Int = Header.currentFormat, trial: Int, seed: UInt64, scenario: Scenario, target: String? = nil,
        release: String? = nil, control: String? = nil, isWarm: Bool? = nil
    ) {
        self.format = format
        self.trial = trial
        self.seed = seed
        self.scenario = scenario
        self.target = target
        self.release = release
        self.control = control
        self.isWarm = isWarm
    }
}

/// A process of the trial: its id as the trial's own pid namespace has it, and its role if it has one.
public struct Subject: Codable, Sendable, Hashable {
    /// The process id inside the trial.
    public var pid: Int32
    /// The role; nil for a process that no rule names.
    public var role: Role?
    /// Makes a subject.
    public init(pid: Int32, role: Role?) {
        self.pid = pid
        self.role = role
    }
}

/// A step began or ended.
public struct StepChange: Codable, Sendable, Equatable {
    /// What became of a step.
    public enum State: String, Codable, Sendable {
        /// It began.
        case began
        /// It ended as it should.
        case done
        /// It could not be done; `detail` says why.
        case failed
    }
    /// The step's number, from 0.
    public var index: Int
    /// The step's name.
    public var name: String
    /// What became of it.
    public var state: State
    /// More, for people.
    public var detail: String?
    /// For a step that failed because a process ended before what it was to give: what that was, `/ready/`.
    public var missing: String?
    /// Likewise, the process that ended.
    public var ended: Subject?
    /// Makes a change.
    public init(
        index: Int, name: String, state: State, detail: String? = nil, missing: String? = nil, ended: Subject? = nil
    ) {
        self.index = index
        self.name = name
        self.state = state
        self.detail = detail
        self.missing = missing
        self.ended = ended
    }
}

/// A process came to life (`fork`), or took on a new program (`spawn`).
public struct Birth: Codable, Sendable, Equatable {
    /// Which process.
    public var subject: Subject
    /// Its parent's id inside the trial; 1 is the trial's own init.
    public var parent: Int32
    /// How it came to be what it is.
    public var start: Topology.Start
    /// Its arguments joined by spaces, cut at 300 characters.
    public var command: String
    /// Makes a birth.
    public init(subject: Subject, parent: Int32, start: Topology.Start, command: String) {
        self.subject = subject
        self.parent = parent
        self.start = start
        self.command = command
    }
}

/// A process ended.
public struct Exit: Codable, Sendable, Equatable {
    /// Which process.
    public var subject: Subject
    /// How; nil when the host could not tell (a kernel before 6.15 and a process that its own parent reaped).
    public var status: ExitStatus?
    /// Whether its parent had ended before it.
    public var orphaned: Bool
    /// Why its program could not be started: then nothing of it has ended but the launcher. Absent where it was.
    public var startFailure: String?
    /// Makes an exit.
    public init(subject: Subject, status: ExitStatus?, orphaned: Bool = false, startFailure: String? = nil) {
        self.subject = subject
        self.status = status
        self.orphaned = orphaned
        self.startFailure = startFailure
    }
}

/// A line of output. A process with a role has streams of its own; one without shares those of its parent.
public struct Line: Codable, Sendable, Equatable {
    /// A captured stream.
    public enum Stream: String, Codable, Sendable {
        /// Standard output.
        case stdout
        /// Standard error.
        case stderr
    }
    /// The process the stream belongs to.
    public var subject: Subject
    /// Which stream.
    public var stream: Stream
    /// The line without its end; bytes that are not UTF-8 are replaced; cut at 8 KiB.
    public var text: String
    /// Makes a line.
    public init(subject: Subject, stream: Stream, text: String) {
        self.subject = subject
        self.stream = stream
        self.text = text
    }
}

/// A mark: what a target said of itself by a write to descriptor 1179795779.
public struct Mark: Codable, Sendable, Equatable {
    /// Who.
    public var subject: Subject
    /// The mark's name: `sent`, `received`, …
    public var name: String
    /// Its other fields, as text.
    public var fields: [String: String]
    /// Makes a mark.
    public init(subject: Subject, name: String, fields: [String: String]) {
        self.subject = subject
        self.name = name
        self.fields = fields
    }
}

/// A named point was reached.
public struct Reached: Codable, Sendable, Equatable {
    /// The point's name in the scenario.
    public var point: String
    /// Who reached it.
    public var at: Subject
    /// The system call it was caught in.
    public var call: String?
    /// On entry of the call, or at its return.
    public var moment: Point.Moment
    /// Which time, from 1.
    public var nth: Int
    /// What the call works on: the path it is given, or what its descriptor is (`pipe:[123]`); `mark <name>` for a mark,
    /// `line <text>` for output, what it asks for of a call that decides over signals (`SIG_BLOCK, blocks SIGTERM`).
    public var object: String?
    /// The named channel that its descriptor is an end of.
    public var channel: String?
    /// Which of its process's threads: 0 is the one that it was born with, others have the distance of their ids from its.
    public var thread: Int32
    /// Makes one.
    public init(
        point: String, at: Subject, call: String?, moment: Point.Moment, nth: Int, object: String? = nil,
        channel: String? = nil, thread: Int32 = 0
    ) {
        self.point = point
        self.at = at
        self.call = call
        self.moment = moment
        self.nth = nth
        self.object = object
        self.channel = channel
        self.thread = thread
    }
}

/// Which calls of a process the kernel handed to the gate: each was decided exactly once.
public struct Tally: Codable, Sendable, Equatable {
    /// Whose; nil for calls of threads that were gone before anyone could ask whose they are.
    public var subject: Subject?
    /// How many of each call, by name.
    public var calls: [String: Int]
    /// Makes a tally.
    public init(subject: Subject?, calls: [String: Int]) {
        self.subject = subject
        self.calls = calls
    }
}

/// A process does things that no filter sees: faults and counts leave them out.
public struct Unseen: Codable, Sendable, Equatable {
    /// How it does them.
    public enum Way: String, Codable, Sendable {
        /// By `io_uring(7)` or `io_submit(2)`: the kernel transfers data for it without a call for each transfer.
        case asynchronous
        /// By calls as another architecture's programs make them, as `int 0x80`: their numbers mean other calls.
        case otherArchitecture = "other-architecture"
    }
    /// Who.
    public var subject: Subject
    /// How.
    public var way: Way
    /// Makes one.
    public init(subject: Subject, way: Way) {
        self.subject = subject
        self.way = way
    }
}

/// What signals did to calls that had stopped for the gate and that it had not received yet: the kernel breaks those off.
public struct BrokenCalls: Codable, Sendable, Equatable {
    /// How many there were, by the numbers that the kernel gave them and never handed out.
    public var missed: Int
    /// How many of them the gate had made anew, so that the target saw nothing of it.
    public var healed: Int
    /// How many the kernel began again by itself.
    public var restarted: Int
    /// How many were left with their `EINTR`: they wait, and Linux interrupts such calls.
    public var natural: Int
    /// How many were left with an `EINTR` that Linux may never have given. Those missing in all of these had no handler, or one that
    /// never returned.
    public var unknown: Int
    /// Makes one.
    public init(missed: Int, healed: Int, restarted: Int, natural: Int, unknown: Int) {
        self.missed = missed
        self.healed = healed
        self.restarted = restarted
        self.natural = natural
        self.unknown = unknown
    }
}

/// A fault was injected, or could not be.
public struct Injection: Codable, Sendable, Equatable {
    /// The fault's name in the scenario.
    public var fault: String
    /// What was done: `kill SIGKILL`, `delay 200ms`, `errno EIO`, `close peer`, …
    public var action: String
    /// The process that reached the point; nil for a fault placed by time.
    public var at: Subject?
    /// The system call it was caught in.
    public var call: String?
    /// The channel the call was on.
    public var channel: String?
    /// Which time, from 1.
    public var nth: Int?
    /// Which time this very call was at the point, from 1, where the point is on several calls; nil where it is on one.
    public var nthOfCall: Int?
    /// The processes it was done to.
    public var targets: [Subject]
    /// Why it had no effect; nil when it was injected.
    public var failure: String?
    /// Makes an injection.
    public init(
        fault: String, action: String, at: Subject? = nil, call: String? = nil, channel: String? = nil,
        nth: Int? = nil, nthOfCall: Int? = nil, targets: [Subject] = [], failure: String? = nil
    ) {
        self.nthOfCall = nthOfCall
        self.fault = fault
        self.action = action
        self.at = at
        self.call = call
        self.channel = channel
        self.nth = nth
        self.targets = targets
        self.failure = failure
    }
}

/// The harness sent a signal for a step.
public struct SignalSent: Codable, Sendable, Equatable {
    /// To whom.
    public var subject: Subject
    /// Which.
    public var signal: Signal
    /// Makes one.
    public init(subject: Subject, signal: Signal) {
        self.subject = subject
        self.signal = signal
    }
}

/// A step missed its deadline.
public struct Hang: Codable, Sendable, Equatable {
    /// The step; `trial` when the whole trial ran out of time; nil when processes outlived the last step.
    public var step: String?
    /// How long it was waited for, in nanoseconds.
    public var waited: Int64
    /// Whom it waited for.
    public var waitingFor: [Subject]
    /// What it waited for, for people.
    public var detail: String
    /// How many threads there were when each of them was seen to wait, without a time limit, for another; nil where the deadline passed.
    public var standstill: Int?
    /// What has not come, where a step waits for that and not for an end: `/ready/`, `port 8000`; nil otherwise.
    public var missing: String?
    /// How many processes were born while it was waited.
    public var births: Int?
    /// What the processes of the trial did meanwhile.
    public var doing: [Doing]?
    /// Makes a hang.
    public init(
        step: String?, waited: Int64, waitingFor: [Subject], detail: String, standstill: Int? = nil,
        missing: String? = nil, births: Int? = nil, doing: [Doing]? = nil
    ) {
        self.step = step
        self.waited = waited
        self.waitingFor = waitingFor
        self.detail = detail
        self.standstill = standstill
        self.missing = missing
        self.births = births
        self.doing = doing
    }

    /// What a standstill of so many threads means for what is waited for, for people.
    public static func cannotCome(_ threads: Int) -> String {
        threads == 1
            ? "cannot come: the only thread there is waits for another, without a time limit"
            : "cannot come: each of \(threads) threads waits for another, without a time limit"
    }
}

/// What a process did while it was waited for.
public struct Doing: Codable, Sendable, Equatable {
    /// What has become of a signal.
    public enum Fate: String, Codable, Sendable {
        /// It is ignored.
        case ignored
        /// It has not been taken yet: it is blocked, or no thread has run since.
        case pending
        /// It was delivered: to a handler, or to a call that waits for signals.
        case taken
    }

    /// Which process.
    public var subject: Subject
    /// The processor time of its threads, in nanoseconds.
    public var ran: Int64
    /// How long one of its threads was ready to run and had no processor: the one that waited for longest, in nanoseconds.
    public var queued: Int64
    /// Whether it has called `exit_group(2)`; absent for no.
    public var isEnding: Bool?
    /// Whether Fracas itself holds a call of it; absent for no.
    public var isHeld: Bool?
    /// Whether it waits for connections; absent for no.
    public var awaitsConnections: Bool?
    /// The last signal that a step sent to it.
    public var signal: Signal?
    /// What has become of that.
    public var fate: Fate?

    /// Makes one.
    public init(
        subject: Subject, ran: Int64 = 0, queued: Int64 = 0, isEnding: Bool? = nil, isHeld: Bool? = nil,
        awaitsConnections: Bool? = nil, signal: Signal? = nil, fate: Fate? = nil
    ) {
        self.subject = subject
        self.ran = ran
        self.queued = queued
        self.isEnding = isEnding
        self.isHeld = isHeld
        self.awaitsConnections = awaitsConnections
        self.signal = signal
        self.fate = fate
    }
}

/// Where one thread was stuck. A Python process's own stacks follow as `line` records after the `autopsy` record.
public struct StuckThread: Codable, Sendable, Equatable {
    /// Whose thread.
    public var subject: Subject
    /// The thread's id inside the trial.
    public var thread: Int32
    /// Its state letter of `proc(5)`: `S`, `D`, `T`, `R`, …
    public var state: String
    /// The system call it is in, by name; nil when it runs or the host does not tell.
    public var call: String?
    /// The kernel function it waits in (`wchan`), where the host tells.
    public var wait: String?
    /// What the call's first argument is, when it is a descriptor: `pipe:[123]`.
    public var descriptor: String?
    /// After how long its call ends by itself, in nanoseconds since it was begun; nil where it has no time limit, or none that is known.
    public var limit: Int64?
    /// Makes one.
    public init(
        subject: Subject, thread: Int32, state: String, call: String?, wait: String?, descriptor: String? = nil,
        limit: Int64? = nil
    ) {
        self.limit = limit
        self.subject = subject
        self.thread = thread
        self.state = state
        self.call = call
        self.wait = wait
        self.descriptor = descriptor
    }
}

/// What a process with a role held when it called `exit_group(2)`, beyond what it was born with.
public struct Holdings: Codable, Sendable, Equatable {
    /// Who.
    public var subject: Subject
    /// Open descriptors by kind: `pipe`, `socket`, `file`, `eventpoll`, `eventfd`, …
    public var descriptors: [String: Int]
    /// Its children that have ended and that it never waited for.
    public var zombies: [Subject]
    /// Makes holdings.
    public init(subject: Subject, descriptors: [String: Int], zombies: [Subject]) {
        self.subject = subject
        self.descriptors = descriptors
        self.zombies = zombies
    }
}

/// What was there at the end of a trial.
public struct Census: Codable, Sendable, Equatable {
    /// Processes that still lived (not zombies).
    public var alive: [Subject]
    /// Processes that had ended and that nobody had waited for.
    public var zombies: [Subject]
    /// Entries of the trial's `/dev/shm`, with their paths below it (semaphores are `sem.*`).
    public var sharedMemory: [String]
    /// Entries of the trial's `/tmp`.
    public var temporary: [String]
    /// Ports something still listened on.
    public var ports: [Int]
    /// How many calls the gate decided, and how many it intercepted: the same, unless evidence was lost.
    public var decided: Int
    /// How many calls the kernel handed to the gate.
    public var intercepted: Int
    /// Makes a census.
    public init(
        alive: [Subject] = [], zombies: [Subject] = [], sharedMemory: [String] = [], temporary: [String] = [],
        ports: [Int] = [], decided: Int = 0, intercepted: Int = 0
    ) {
        self.alive = alive
        self.zombies = zombies
        self.sharedMemory = sharedMemory
        self.temporary = temporary
        self.ports = ports
        self.decided = decided
        self.intercepted = intercepted
    }
}

/// Evidence was lost; the verdict cannot be `held`.
public struct Loss: Codable, Sendable, Equatable {
    /// What: `output`, `records`, `marks`.
    public var what: String
    /// Whose.
    public var subject: Subject?
    /// How many bytes or records.
    public var count: Int
    /// Makes a loss.
    public init(what: String, subject: Subject?, count: Int) {
        self.what = what
        self.subject = subject
        self.count = count
    }
}

/// The harness could not do its work: the verdict is `inconclusive` unless something was violated before.
public struct Trouble: Codable, Sendable, Equatable {
    /// What was being attempted, what went wrong, and what to do about it.
    public var message: String
    /// Makes one.
    public init(message: String) { self.message = message }
}

/// How the trial ended.
public struct End: Codable, Sendable, Equatable {
    /// A way to end.
    public enum Reason: String, Codable, Sendable {
        /// Every step was done.
        case completed
        /// A step missed its deadline.
        case hung
        /// A step failed, or the harness could not do its work.
        case failed
        /// Somebody interrupted the run.
        case interrupted
    }
    /// Which.
    public var reason: Reason
    /// Makes an end.
    public init(reason: Reason) { self.reason = reason }
}
