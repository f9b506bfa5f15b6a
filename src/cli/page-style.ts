// How the page of a run looks: dark on white, one column that fits A4, one colour for what needs a look.
export const PAGE_STYLE = `
:root { color-scheme: light; --ink: #1b1f24; --quiet: #5c6670; --line: #d8dde2; --calm: #7d93a8; --good: #1a6b3c; --bad: #a61b1b; --mark: #b35c00 }
* { box-sizing: border-box }
body { margin: 0; background: #fff; color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif }
main { max-width: 54rem; margin: 0 auto; padding: 2.5rem 1.5rem 4rem }
header { border-left: 4px solid var(--mark); padding-left: 1rem; margin-bottom: 2rem }
header.done { border-color: var(--good) }
header.stopped { border-color: var(--bad) }
header p { margin: 0 }
h1 { font-size: 1.5rem; line-height: 1.3; font-weight: 600; margin: .25rem 0; overflow-wrap: anywhere }
h2 { font-size: 1.05rem; font-weight: 600; margin: 2.25rem 0 .5rem; break-after: avoid }
p { margin: 0 0 .75rem; overflow-wrap: anywhere }
table + p { margin-top: .5rem }
.quiet, small { color: var(--quiet); font-size: .85rem }
.figures { display: grid; grid-template-columns: repeat(4, 1fr); gap: 1.5rem; margin: 0; padding: 1rem 0; border: solid var(--line); border-width: 1px 0 }
.figures dt { color: var(--quiet); font-size: .85rem }
.figures dd { margin: 0; font-size: 1.25rem; font-weight: 600; font-variant-numeric: tabular-nums }
.figures small { display: block; font-weight: 400; line-height: 1.35 }
.notes { list-style: none; margin: 1.25rem 0 0; padding: 0 }
.notes li { border-left: 4px solid var(--mark); padding: .1rem 0 .1rem .75rem; margin-bottom: .4rem; overflow-wrap: anywhere }
table { border-collapse: collapse; width: 100%; font-size: .9rem }
th, td { text-align: left; vertical-align: top; padding: .3rem .75rem .3rem 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere }
th:last-child, td:last-child { padding-right: 0 }
th { font-weight: 600 }
thead th { color: var(--quiet); font-weight: 400 }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
.time { font-variant-numeric: tabular-nums; white-space: nowrap }
.timeline td:nth-child(2), .timeline td:nth-child(3) { white-space: nowrap }
.timeline .waiting, .timeline .skipped { color: var(--quiet) }
.timeline .failed td:nth-child(3) { color: var(--bad); font-weight: 600 }
.bars th { font-weight: 400; white-space: nowrap; width: 1%; padding-right: 1rem; border: 0 }
.bars td { border: 0 }
.bars .number { width: 1% }
.bars .aside th, .bars .aside .number { color: var(--quiet) }
.bars .longest th, .bars .longest .number { font-weight: 600 }
svg { display: block; width: 100%; height: 12px; margin-top: .35rem }
rect { fill: var(--calm) }
.longest rect { fill: var(--ink) }
.failed rect { fill: var(--bad) }
.aside rect { fill: var(--line) }
.facts th { font-weight: 400; color: var(--quiet); width: 9rem }
code { font: .9em ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace }
.command { font-weight: 600; border-left: 4px solid var(--ink); margin: 1.25rem 0 .25rem }
.checks { list-style: none; padding-left: 0 }
pre { font: 12px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; white-space: pre-wrap; overflow-wrap: anywhere; margin: 0; padding-left: 1rem; border-left: 1px solid var(--line) }
@media (max-width: 40rem) { .figures { grid-template-columns: repeat(2, 1fr) } }
@media print {
  @page { size: A4; margin: 18mm 16mm }
  body { font-size: 10pt }
  main { max-width: none; padding: 0 }
  .figures { grid-template-columns: repeat(4, 1fr) }
  header, .figures, tr, .notes li { break-inside: avoid }
  thead { display: table-header-group }
  tfoot { display: table-row-group }
  pre { font-size: 8pt }
}
`
