import Certification
import Checkers
import Foundation
import Reports
import Testing

@Suite("The fixture")
struct FixtureTests {
    private func certify(_ release: String, trials: Int) throws -> (Command, Certificate) {
        let directory = try Command.temporaryDirectory()
        let command = try Command.run(
            [
                "certify", "--suite", "\(Command.root)/scenarios", "--target", "\(Command.root)/fixtures/exo",
                "--release",
                release, "--trials", String(trials), "--explore", "20", "--format", "json", "--python", Command.python,
            ], in: directory)
        let certificate = try JSONDecoder().decode(Certificate.self, from: Data(command.output.utf8))
        if certificate.verdict == .held { try? FileManager.default.removeItem(atPath: directory) }
        return (command, certificate)
    }

    @Test func fixedReleaseHolds() throws {
        let (command, certificate) = try certify("fixed", trials: 42)
        let found = certificate.suite.findings + (certificate.exploration?.findings ?? [])
        #expect(certificate.verdict == .held, "\(found) \(certificate.suite.problems)")
        #expect(command.status == 0)
        #expect(certificate.suite.trials == 42 && certificate.exploration?.trials == 20)
        #expect(certificate.counts == nil, "no controls were run")
    }

    @Test func releaseBeforeTheFixShowsEveryReportedSymptom() throws {
        let (command, certificate) = try certify("before", trials: 42)
        #expect(command.status == 1)
        let signatures = certificate.suite.findings.map(\.signature)
        for symptom in ["Queue is closed", "ClosedResourceError", "exit 1 of node.runner"] {
            #expect(signatures.contains(symptom), "\(signatures)")
        }
        // Where a thread polls, that nothing will end is not proven.
        let hangs = ["deadlock", "not ended"].map { "\($0) in shutdown of node" }
        #expect(!Set(hangs).isDisjoint(with: signatures), "\(signatures)")
    }

    /// The whole service, not only its runner layer: `exo.main` with its API.
    @Test func serviceAnswersAndStops() throws {
        let directory = try Command.temporaryDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let command = try Command.run(
            [
                "run", "\(Command.root)/scenarios/services/exo-api.yaml", "--target", "\(Command.root)/fixtures/exo",
                "--release", "fixed", "--python", Command.python,
            ], in: directory)
        #expect(command.status == 0, "\(command.output)")
    }
}
