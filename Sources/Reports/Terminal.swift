/// Text of a target's on its way to a terminal.
public enum Terminal {
    /// The text with every control character, and every character that turns the direction of writing, made visible, so that
    /// what a target prints cannot steer the terminal of who reads it.
    public static func escape(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            let steers = (0x202A...0x202E).contains(scalar.value) || (0x2066...0x2069).contains(scalar.value)
            if scalar == "\t" {
                result += "\\t"
            } else if scalar.properties.generalCategory == .control || steers {
                result += "\\u{\(String(scalar.value, radix: 16))}"
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
