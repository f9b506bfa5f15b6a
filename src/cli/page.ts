// What all pages of kdr have in common: no scripts, nothing from elsewhere, everything that comes from outside is escaped.
import type { RunReport } from '../model/runs.ts'
import { PAGE_STYLE } from './page-style.ts'

/** `parts`: HTML. */
export function page(title: string, parts: readonly string[]): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escape(title)}</title>
<style>${PAGE_STYLE}</style>
</head>
<body>
<main>
${parts.join('\n')}
</main>
</body>
</html>
`
}

/** `content`: HTML. */
export function section(title: string, content: string): string {
  return `<section><h2>${escape(title)}</h2>${content}</section>`
}

/** Whose run it was, and how it was begun. */
export function whoAndWhy(
  report: Pick<
    RunReport,
    'run' | 'by' | 'reason' | 'startedAt' | 'endedAt' | 'versions' | 'acceptedSplitBrain'
  >,
  more: readonly (readonly [label: string, value: string])[] = [],
): string {
  const { run, by, reason, startedAt, endedAt, versions, acceptedSplitBrain } = report
  const rows = [
    ['Run', run],
    ['By', by],
    ['Reason', reason ?? 'none given'],
    ...more,
    ['Started', `${utc(startedAt)} UTC`],
    ['Ended', endedAt === undefined ? 'not yet' : `${utc(endedAt)} UTC`],
    ['Without a fence', acceptedSplitBrain ? 'accepted (--accept-split-brain)' : 'not accepted'],
    ['Versions', `kdr ${versions.kdr}, Node ${versions.node}`],
  ] as const
  const table = rows.map(
    ([label, value]) => `<tr><th scope="row">${escape(label)}</th><td>${escape(value)}</td></tr>`,
  )
  return section('Who and why', `<table class="facts">${table.join('')}</table>`)
}

/** `2026-03-01 10:00:00.000`. */
export function utc(iso: string): string {
  return iso.replace('T', ' ').replace('Z', '')
}

export function capital(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

export function escape(text: string): string {
  return text.replace(/[&<>"']/g, character => ENTITIES[character] ?? '')
}
