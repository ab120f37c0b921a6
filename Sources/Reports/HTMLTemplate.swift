/// The template of `report.html`. `{{…}}` is escaped by Mustache; only the picture, whose labels are escaped when it is
/// drawn, goes in as it is.
enum HTMLTemplate {
    static let text = """
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>{{verdict}}: {{name}}</title>
        <style>
        :root { color-scheme: light dark; --ink: #1b1f24; --soft: #5c6670; --paper: #fff; --edge: #d8dde3; --panel: #f6f8fa;
          --held: #1a7f37; --violated: #c2212e; --inconclusive: #9a6700; --fault: #bc4c00; --signal: #0969da; }
        @media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9aa5b1; --paper: #0d1117; --edge: #30363d;
          --panel: #161b22; --held: #3fb950; --violated: #ff6b6b; --inconclusive: #e3b341; --fault: #f0883e; --signal: #58a6ff; } }
        body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 60rem;
          margin: 2rem auto; padding: 0 1rem; }
        h1 { font-size: 2.2rem; margin: 0; } h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--edge); }
        .held { color: var(--held); } .violated { color: var(--violated); } .inconclusive { color: var(--inconclusive); }
        .soft { color: var(--soft); } code, pre, .mono { font: 13px/1.45 ui-monospace, monospace; overflow-wrap: anywhere; }
        dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.2rem; } dt { color: var(--soft); } dd { margin: 0; }
        table { border-collapse: collapse; width: 100%; } td, th { text-align: right; padding: .25rem .6rem;
          border-bottom: 1px solid var(--edge); } td:first-child, th:first-child { text-align: left; }
        .finding { background: var(--panel); border: 1px solid var(--edge); border-radius: 8px; padding: 1rem 1.2rem; margin: 1rem 0; }
        .finding h3 { margin: 0 0 .3rem; } svg { width: 100%; margin: .8rem 0; }
        svg text { font: 12px system-ui, sans-serif; fill: var(--ink); } svg .small { font-size: 10px; fill: var(--soft); }
        svg .life { stroke: var(--soft); stroke-width: 6; stroke-linecap: round; } svg .step { stroke: var(--edge); stroke-dasharray: 3 3; }
        svg .fault { fill: var(--fault); } svg .signal { fill: var(--signal); } svg .proof { fill: var(--violated); stroke: var(--ink); stroke-width: 2; }
        svg .pause { fill: var(--edge); opacity: .5; } .key::before { content: "●"; margin-right: .3em; } .key { margin-right: 1.2em; }
        .key.fault { color: var(--fault); } .key.signal { color: var(--signal); } .key.proof { color: var(--violated); }
        .events { display: grid; grid-template-columns: max-content max-content 1fr; gap: 0 .9rem; }
        .events .fault { color: var(--fault); } .events .signal { color: var(--signal); } .events .proof { font-weight: 700; color: var(--violated); }
        details summary { cursor: pointer; color: var(--soft); }
        </style>
        </head>
        <body>
        <h1 class="{{verdict}}">{{verdict}}</h1>
        <p class="soft">{{name}}, {{startedAt}}{{#interrupted}}, interrupted{{/interrupted}}</p>
        <dl>
        <dt>trials</dt><dd>{{trials}}: {{held}} held, {{violated}} violated, {{inconclusive}} inconclusive</dd>
        <dt>failure rate</dt><dd>below {{bound}} (95 % confidence)</dd>
        {{#target}}<dt>target</dt><dd class="mono">{{path}} {{release}}</dd>
        <dt>tree hash</dt><dd class="mono">{{hash}}</dd>{{/target}}
        <dt>seed</dt><dd class="mono">{{seed}}</dd>
        <dt>time</dt><dd>{{seconds}} s, {{rate}} trials a second</dd>
        </dl>
        {{#hasFindings}}<h2>Findings</h2>{{/hasFindings}}
        {{#findings}}
        <section class="finding">
        <h3>{{signature}}</h3>
        <p class="soft">{{checker}}; in {{count}} of {{trials}} trials, first in trial {{firstTrial}}, shown is trial {{simplestTrial}}; scenarios: {{scenarios}}</p>
        <p class="soft">after: {{causes}}</p>
        {{#symptomOf}}<p class="soft">in each of its trials beside: {{.}}</p>{{/symptomOf}}
        <p class="mono">{{message}}</p>
        {{{svg}}}
        <p><span class="key fault">fault injected</span><span class="key signal">signal sent by a step</span><span
        class="key proof">what proves the violation</span></p>
        <details open><summary>what happened, in order (record, milliseconds)</summary>
        <div class="events mono">
        {{#events}}<span class="soft">{{seq}}</span><span class="soft">{{time}}</span><span class="{{kind}}">{{text}}</span>
        {{/events}}
        </div></details>
        <p class="soft">evidence: <a href="{{ledger}}">{{ledger}}</a></p>
        </section>
        {{/findings}}
        <h2>Scenarios</h2>
        <table>
        <tr><th>scenario</th><th>trials</th><th>held</th><th>violated</th><th>inconclusive</th><th>faults injected</th><th>seconds each</th></tr>
        {{#scenarios}}<tr><td class="{{class}}">{{name}}</td><td>{{trials}}</td><td>{{held}}</td><td>{{violated}}</td><td>{{inconclusive}}</td><td>{{faults}}</td><td>{{mean}}</td></tr>
        {{/scenarios}}
        </table>
        {{#hasProblems}}<h2>Why trials were inconclusive</h2><ul>{{#problems}}<li>{{count}} × {{text}}</li>{{/problems}}</ul>{{/hasProblems}}
        {{#hasSetAside}}<h2>Set aside</h2><ul>{{#setAside}}<li>{{text}} ({{count}} trials)</li>{{/setAside}}</ul>{{/hasSetAside}}
        {{#hasNotes}}<h2>Asked for, but could not be checked</h2><ul>{{#notes}}<li>{{text}} ({{count}} trials)</li>{{/notes}}</ul>{{/hasNotes}}
        {{#hasNotChecked}}<h2>Not checked</h2><ul>{{#notChecked}}<li>{{text}} ({{count}} trials)</li>{{/notChecked}}</ul>{{/hasNotChecked}}
        </body>
        </html>
        """
}
