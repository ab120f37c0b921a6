import Evidence
import Foundation
import Platform

/// What a stopped call's pointer arguments point at. Only good if the notification is still valid after the reading.
enum TargetMemory {
    private static let most = 4096

    /// The text that a `write` or `writev` is about to put out, its first 4 KiB; nil when it cannot be read.
    static func output(of notification: StoppedCall, isVector: Bool) -> String? {
        guard isVector else { return text(notification.thread, notification.arguments.1, notification.arguments.2) }
        let count = min(notification.arguments.2, 8)
        guard
            let vector = try? ProcFile.memory(
                of: notification.thread, at: notification.arguments.1, length: Int(count) * 16)
        else { return nil }
        var whole = ""
        for entry in stride(from: 0, to: vector.count - 15, by: 16) {
            let address = word(vector, entry)
            whole += text(notification.thread, address, word(vector, entry + 8)) ?? ""
        }
        return whole
    }

    private static func word(_ bytes: [UInt8], _ offset: Int) -> UInt64 {
        bytes[offset..<offset + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    private static func text(_ thread: Int32, _ address: UInt64, _ length: UInt64) -> String? {
        guard length > 0 else { return "" }
        let bytes = try? ProcFile.memory(of: thread, at: address, length: Int(min(length, UInt64(most))))
        return bytes.map { String(decoding: $0, as: UTF8.self) }
    }
}

/// The JSON text of a mark.
enum MarkText {
    /// A mark from its text: a flat object whose member `mark` is its name; nil when it is not one.
    static func parse(_ text: String, of subject: Subject) -> Mark? {
        guard let object = try? JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any],
            let name = object["mark"] as? String
        else { return nil }
        var fields: [String: String] = [:]
        for (key, value) in object where key != "mark" {
            if let string = value as? String {
                fields[key] = string
            } else if let number = value as? NSNumber {
                fields[key] = number.stringValue
            } else {
                return nil
            }
        }
        return Mark(subject: subject, name: name, fields: fields)
    }
}
