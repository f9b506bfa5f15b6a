// What `kdr check --fix` may do of what was found. Pure; src/wiring/check-fix.ts does it.
import { assertNever } from './errors.ts'
import type { Finding, Fix } from './findings.ts'

const NAMES_SHOWN = 8

export type FixableFinding = Finding & { readonly fix: Fix }

/** In the order of the findings, which is that of their gravity. */
export const fixable = (findings: readonly Finding[]): FixableFinding[] =>
  findings.filter((each): each is FixableFinding => each.fix !== undefined)

/** What was approved, where it is still so: the world may have changed while somebody thought about it. */
export function stillFixable(approved: readonly Finding[], found: readonly Finding[]): FixableFinding[] {
  const wanted = new Set(fixable(approved).map(keyOf))
  return fixable(found).filter(each => wanted.has(keyOf(each)))
}

const keyOf = ({ id, where, fix }: FixableFinding): string => JSON.stringify([id, where, fixSentence(fix)])

/** Such as `set min.insync.replicas=2 on topic "orders" of "east"`. */
export function fixSentence(fix: Fix): string {
  const { kind, cluster } = fix
  switch (kind) {
    case 'topic-configs': {
      const configs = Object.entries(fix.configs).map(([name, value]) => `${name}=${value}`)
      return `set ${configs.join(', ')} on topic "${fix.topic}" of "${cluster}"`
    }
    case 'broker-default':
      return `set ${fix.name}=${fix.value} for all brokers of "${cluster}"`
    case 'preferred-leaders': {
      const names = fix.partitions.map(({ topic, partition }) => `${topic}/${partition}`)
      const rest = names.length - NAMES_SHOWN
      const more = rest > 0 ? ` and ${rest} more` : ''
      return `elect the preferred leader of ${names.slice(0, NAMES_SHOWN).join(', ')}${more} of "${cluster}"`
    }
    default:
      return assertNever(kind)
  }
}
