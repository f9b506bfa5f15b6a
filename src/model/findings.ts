// Everything that `kdr check` can find, in one table: how grave it is, what it means, how it comes about, and what mends it. A page
// per id in docs/findings is made from it. An id keeps its meaning for ever: it stands in configs (`accept:`) and in alerts.
import { invariant } from './errors.ts'
import { ofClusters } from './findings-clusters.ts'
import { ofLinks } from './findings-links.ts'
import { ofSets } from './findings-sets.ts'

/** `error`: it would fail tonight. `warning`: it may. `info`: worth knowing, and no reason to worry. */
export type Severity = 'error' | 'warning' | 'info'

export type FindingSpec = {
  readonly severity: Severity
  /** A few words, without names. */
  readonly title: string
  /** How it comes about, and what it would cost. */
  readonly cause: string
  /** What to do, where it is more than the command. */
  readonly wayOut: string
  /** With `{name}` for what a finding knows; `{at}` is `--bootstrap-server ADDRESS`, with a login where one is needed. */
  readonly command?: string
  /** Why `kdr check --fix` may mend it without a person who looks closer; undefined: it does not. */
  readonly safeFix?: string
}

export const FINDINGS = { ...ofClusters, ...ofLinks, ...ofSets } as const satisfies Record<
  string,
  FindingSpec
>
export type FindingId = keyof typeof FINDINGS

export type Finding = {
  readonly id: FindingId
  readonly severity: Severity
  /** Words such as `cluster:east topic:orders`, from the wide to the narrow. */
  readonly where: string
  /** One sentence, lowercase, no full stop. */
  readonly message: string
  /** What was seen, a line each. */
  readonly evidence: readonly string[]
  /** The exact command that mends it, or else one sentence. */
  readonly hint: string
  /** What `--fix` does about it; undefined: nothing. */
  readonly fix?: Fix
}

/** A change that loses nothing, moves no data and can be taken back. */
export type Fix = { readonly cluster: string } & (
  | {
      readonly kind: 'topic-configs'
      readonly topic: string
      readonly configs: Readonly<Record<string, string>>
      /** Where the topic is the mirror of one: what is done to it is kept in its journal. */
      readonly link?: string
    }
  /** Of all brokers, while they run. */
  | { readonly kind: 'broker-default'; readonly name: string; readonly value: string }
  | {
      readonly kind: 'preferred-leaders'
      readonly partitions: readonly { readonly topic: string; readonly partition: number }[]
    }
)

export type FindingFacts = {
  readonly where: string
  readonly message: string
  readonly evidence?: readonly string[]
  /** Where it is graver, or less so, than the table says. */
  readonly severity?: Severity
  /** For the `{names}` of the command. */
  readonly values?: Readonly<Record<string, string | number>>
  /** Instead of the table's command or way out. */
  readonly hint?: string
  /** Only of those that the table calls safe, and where this case is. */
  readonly fix?: Fix | undefined
}

export function finding(id: FindingId, facts: FindingFacts): Finding {
  const spec: FindingSpec = FINDINGS[id]
  const { where, message, evidence = [], severity = spec.severity, values = {}, fix } = facts
  invariant(
    fix === undefined || spec.safeFix !== undefined,
    'a finding that nobody calls safe is to be mended',
    { id },
  )
  const hint = facts.hint ?? (spec.command === undefined ? spec.wayOut : fill(spec.command, values))
  return { id, severity, where, message, evidence, hint, ...(fix !== undefined && { fix }) }
}

/** What nobody knows keeps its braces, and a test says so. */
function fill(command: string, values: Readonly<Record<string, string | number>>): string {
  return command.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole))
}
