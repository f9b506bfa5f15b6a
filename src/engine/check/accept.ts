// Findings that somebody has accepted: they are shown with until when and why, and do not count. An entry whose time is over, or that
// fits nothing, is a finding itself. Pure.
import { type Finding, finding } from '../../model/findings.ts'
import { placeFilter } from '../../model/patterns.ts'

export type Accept = {
  readonly finding: string
  /** Such as `cluster:east topic:tmp-*`: each word must fit one of the finding's. Undefined: anywhere. */
  readonly where: string | undefined
  /** The first moment at which it counts again: ms since 1970; undefined: never. */
  readonly until: number | undefined
  readonly why: string
}

export type AcceptedFinding = Finding & {
  readonly accepted: { readonly until: string | null; readonly why: string }
}

export type Judged = { readonly findings: readonly Finding[]; readonly accepted: readonly AcceptedFinding[] }

/** `isWhole`: everything was looked at, so that an entry that fits nothing is of no use. */
export function applyAccepts(
  found: readonly Finding[],
  accepts: readonly Accept[],
  { now, isWhole }: { readonly now: number; readonly isWhole: boolean },
): Judged {
  const fits = accepts.map(fitOf)
  const findings: Finding[] = []
  const accepted: AcceptedFinding[] = []
  for (const each of found) {
    const by = accepts.find((accept, index) => !isOver(accept, now) && fits[index]?.(each) === true)
    if (by === undefined) findings.push(each)
    else
      accepted.push({
        ...each,
        accepted: { until: by.until === undefined ? null : new Date(by.until).toISOString(), why: by.why },
      })
  }
  const own = accepts.flatMap((accept, index): Finding[] => {
    const hasFit = found.some(each => fits[index]?.(each) === true)
    const { where: place } = accept
    const of = `${accept.finding}${place === undefined ? '' : ` at ${place}`}`
    const where = `accept:${index + 1}`
    if (isOver(accept, now) && hasFit)
      return [
        finding('C098', {
          where,
          message: `what was accepted of ${of} counts again`,
          evidence: [`until ${new Date(accept.until ?? 0).toISOString()}: ${accept.why}`],
        }),
      ]
    if (hasFit || !isWhole) return []
    return [finding('C099', { where, message: `nothing was found that fits ${of}`, evidence: [accept.why] })]
  })
  return { findings: [...findings, ...own], accepted }
}

const isOver = ({ until }: Accept, now: number): boolean => until !== undefined && now >= until

function fitOf({ finding: id, where }: Accept): (found: Finding) => boolean {
  const isMeant = placeFilter(where)
  return found => found.id === id && isMeant(found.where)
}
