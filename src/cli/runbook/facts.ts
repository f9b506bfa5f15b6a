// What a runbook is made of: the part of the config that it is about, where its links stand and what their last runs took. A mark in
// the page says which config and which state that was, so that `--check` can tell later whether it still holds. No secrets: of those
// the config has only references, and of the operator's own commands a runbook says where they stand, never what they are.
import { createHash } from 'node:crypto'
import type { Config, LinkConfig, PlanConfig } from '../../config/index.ts'
import type { Plan, RunReport } from '../../model/runs.ts'

export const RUNBOOK_KINDS = ['switchover', 'failover', 'failback'] as const
export type RunbookKind = (typeof RUNBOOK_KINDS)[number]

export type LinkFacts = {
  readonly link: LinkConfig
  /** Where applications write when it begins, and where they will: as the link leads, or as the config says. */
  readonly active: string
  readonly standby: string
  /** Left out where the clusters could not be asked; then `unknown` says why. */
  readonly live?: { readonly state: string; readonly plan?: Plan }
  readonly unknown?: string
  /** The last of its kind that came to its end. */
  readonly last?: RunReport
}

export type RunbookFacts = {
  readonly kind: RunbookKind
  /** What the commands take: a plan, or a link. */
  readonly name: string
  readonly plan?: PlanConfig
  readonly config: Config
  /** In the order in which they move. */
  readonly links: readonly LinkFacts[]
  /** ms since 1970. */
  readonly at: number
  readonly kdr: string
}

export type RunbookMark = {
  readonly v: 1
  readonly name: string
  readonly kind: RunbookKind
  readonly at: string
  readonly kdr: string
  /** Of the part of the config that it is about. */
  readonly config: string
  /** Which way its links lead, and which runs it quotes; null where that was not known. */
  readonly state: string | null
}

export function markOf(facts: RunbookFacts): RunbookMark {
  const { name, kind, at, kdr, links } = facts
  const isKnown = links.every(({ live }) => live !== undefined)
  const state = links.map(({ link, active, standby, last }) => [link.name, active, standby, last?.run ?? ''])
  return {
    v: 1,
    name,
    kind,
    at: new Date(at).toISOString(),
    kdr,
    config: digest(partOf(facts)),
    state: isKnown ? digest(state) : null,
  }
}

/** The config that decides how it goes; what a file says of other links changes nothing. */
function partOf({ config, plan, links }: RunbookFacts): unknown {
  const names = new Set(links.flatMap(({ link }) => [link.source, link.target]))
  return {
    plan,
    links: links.map(({ link }) => link),
    clusters: Object.values(config.clusters).filter(({ name }) => names.has(name)),
  }
}

const COMMENT = /<!-- kdr-runbook (\{.*?\}) -->/

export const writeMark = (mark: RunbookMark): string => `<!-- kdr-runbook ${JSON.stringify(mark)} -->`

/** Undefined: kdr has not written it. */
export function parseMark(text: string): RunbookMark | undefined {
  const [, json] = COMMENT.exec(text) ?? []
  if (json === undefined) return undefined
  try {
    const mark = JSON.parse(json) as RunbookMark
    return mark.v === 1 ? mark : undefined
  } catch {
    return undefined
  }
}

/** Why a runbook does not hold any more; empty: it is current, as far as can be told. */
export function outdated(mark: RunbookMark, now: RunbookMark): string[] {
  return [
    mark.config === now.config
      ? ''
      : `the config of ${mark.name} is another one (fingerprint ${now.config}, the runbook has ${mark.config})`,
    mark.kdr === now.kdr ? '' : `this is kdr ${now.kdr}, and kdr ${mark.kdr} has written the runbook`,
    mark.state === null && now.state !== null
      ? 'the clusters could not be asked when it was written, and now they can'
      : '',
    mark.state !== null && now.state !== null && mark.state !== now.state
      ? 'its links lead another way, or have been moved since'
      : '',
  ].filter(reason => reason !== '')
}

/** Whatever order the file has its keys in. Secrets are written as their references. */
function digest(value: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify(sorted(JSON.parse(JSON.stringify(value ?? null)))))
    .digest('hex')
    .slice(0, 12)
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  )
}
