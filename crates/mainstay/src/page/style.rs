//! How the page looks, in light and in dark, on a screen and on paper.

/// The style sheet.
pub(crate) const STYLE: &str = "
:root {
  --page: #fbfbfa; --card: #ffffff; --text: #1d2126; --faint: #667079; --line: #e4e6e8;
  --main: #2f6fb3; --soft: #a9bfd6; --good: #2c8a5a; --bad: #bb4b3c; --whisker: #1d2126;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171a; --card: #1b1f23; --text: #e5e8ea; --faint: #97a1aa; --line: #2d3338;
    --main: #5b9bd9; --soft: #44596e; --good: #4bb07f; --bad: #dd7263; --whisker: #e5e8ea;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--text);
  font: 16px/1.5 system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif;
}
main { max-width: 1160px; margin: 0 auto; padding: 40px 24px 64px; }
h1 { font-size: 30px; line-height: 1.2; margin: 0 0 8px; }
h2 { font-size: 21px; margin: 0 0 14px; overflow-wrap: anywhere; }
h3 { font-size: 16px; margin: 26px 0 8px; }
p { margin: 0 0 12px; max-width: 78ch; }
.lead, .note { color: var(--faint); }
.note { font-size: 14px; margin-top: 10px; }
code { font: 0.92em ui-monospace, 'Cascadia Mono', Menlo, Consolas, monospace; overflow-wrap: anywhere; }
section {
  background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 24px; margin-top: 24px;
}
.facts { display: flex; flex-wrap: wrap; gap: 10px 30px; margin: 0 0 18px; }
.facts dt { color: var(--faint); font-size: 13px; }
.facts dd { margin: 0; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.gates { list-style: none; margin: 0 0 18px; padding: 0; }
.gates li { padding: 7px 12px; margin: 0 0 6px; border-left: 4px solid; border-radius: 3px; background: var(--page); }
.gates .met { border-color: var(--good); }
.gates .missed { border-color: var(--bad); }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); gap: 22px 36px; }
figure { margin: 0; }
figcaption { font-weight: 600; margin-bottom: 6px; }
svg { display: block; width: 100%; height: auto; overflow: visible; }
svg text { fill: var(--text); font-size: 13px; font-variant-numeric: tabular-nums; }
svg .label, svg .value { text-anchor: end; }
svg .tick { fill: var(--faint); font-size: 11px; text-anchor: middle; }
svg .grid { stroke: var(--line); }
svg .zero { stroke: var(--faint); }
svg .main { fill: var(--main); } svg .soft { fill: var(--soft); }
svg .good { fill: var(--good); } svg .bad { fill: var(--bad); }
svg .line { fill: none; stroke-width: 2.2; stroke-linejoin: round; }
svg .line.main { stroke: var(--main); } svg .line.soft { stroke: var(--faint); }
svg .line.good { stroke: var(--good); } svg .line.bad { stroke: var(--bad); }
svg .band { opacity: 0.16; }
svg .key { fill: var(--text); font-size: 12px; }
svg .whisker { stroke: var(--whisker); stroke-width: 1.4; fill: none; opacity: 0.75; }
.wide { overflow-x: auto; }
pre { overflow-x: auto; padding: 12px 14px; background: var(--page); border-radius: 6px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 7px 10px; border-bottom: 1px solid var(--line); white-space: nowrap; }
thead th { color: var(--faint); font-weight: 500; vertical-align: bottom; }
th:first-child, td:first-child { text-align: start; padding-left: 0; }
th.text { text-align: start; }
td.text { text-align: start; white-space: normal; min-width: 260px; overflow-wrap: anywhere; }
td.id { color: var(--faint); max-width: 220px; overflow: hidden; text-overflow: ellipsis; }
@media print { body { background: none; } section { break-inside: avoid; border: 0; padding: 0; } }
";
