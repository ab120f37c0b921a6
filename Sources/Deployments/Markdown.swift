/// Text on its way into a report in Markdown: what a target, a file's name or a setting says stays text. It makes no link, no
/// picture, no HTML, no heading and no new cell.
package enum Markdown {
    /// One line of text.
    package static func text(_ text: String) -> String {
        let scalars = Array(Text.plain(text).unicodeScalars)
        var result = ""
        for (index, scalar) in scalars.enumerated() {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\\", "`", "*", "[", "]", "|", "~": result += "\\" + String(scalar)
            case "_":
                // Within a word it stands for itself, and a path is easier to read without.
                let isWithin =
                    index > 0 && index + 1 < scalars.count && isWord(scalars[index - 1]) && isWord(scalars[index + 1])
                result += isWithin ? "_" : "\\_"
            case "#", "+", "-", "=": result += index == 0 ? "\\" + String(scalar) : String(scalar)
            // Readers make links of bare addresses too: what begins them is written so that it is only read.
            case ":": result += scalars[(index + 1)...].starts(with: "//".unicodeScalars) ? "&#58;" : ":"
            case ".": result += isAfterWWW(scalars, index) ? "&#46;" : "."
            case "@": result += "&#64;"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    private static func isWord(_ scalar: Unicode.Scalar) -> Bool {
        scalar == "_" || scalar.properties.isAlphabetic || scalar.properties.numericType != nil
    }

    private static func isAfterWWW(_ scalars: [Unicode.Scalar], _ index: Int) -> Bool {
        index >= 3 && scalars[(index - 3)..<index].allSatisfy { $0 == "w" || $0 == "W" }
    }
}
