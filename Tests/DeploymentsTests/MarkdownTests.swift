import Testing

import Deployments

/// What others say stays text in a report.
@Suite("Text in reports")
struct MarkdownTests {
    @Test(arguments: [
        ("[press](https://a.example/x)", "\\[press\\](https&#58;//a.example/x)"),
        ("![p](http://a/p.png)", "!\\[p\\](http&#58;//a/p.png)"), ("<img src=x>", "&lt;img src=x&gt;"),
        ("see https://a.example", "see https&#58;//a.example"), ("www.a.example", "www&#46;a.example"),
        ("a | b", "a \\| b"), ("`code`", "\\`code\\`"), ("&lt;b&gt;", "&amp;lt;b&amp;gt;"), ("# big", "\\# big"),
        ("*a* _b_ ~~c~~", "\\*a\\* \\_b\\_ \\~\\~c\\~\\~"), ("\\[a]", "\\\\\\[a\\]"),
        ("a@b.example", "a&#64;b.example"),
        ("one\ntwo", "one\\\\u{a}two"),
    ])
    func whatWouldBeMoreThanText(text: String, says: String) { #expect(Markdown.text(text) == says) }

    /// What people read in it most stays as it is.
    @Test func plainTextStaysAsItIs() {
        for text in ["/opt/a/deployment_report_20260101_120000.md", "12.5 ms, allowed 1000 ms", "a: b (c); d - e, 'f'"]
        {
            #expect(Markdown.text(text) == text)
        }
    }
}
