// Pure: which names stand for mirrors, those that the source does not have yet included. Where a pattern cannot be looked into, it is
// taken for one that may: a rule that is held back in vain does less harm than one that is not.
import { compilePatterns, isNeverMatched } from '../../model/patterns.ts'
import { type Mirrors, OWN_PREFIX } from './acl-plan.ts'

export type MirrorNames = {
  /** Of every link that leads to this target. */
  readonly topics: ReadonlySet<string>
  /** Topic patterns, a list for each link. */
  readonly patterns: readonly (readonly string[])[]
  /** Let go of, though the patterns take them (kdr link forget). */
  readonly forgotten: ReadonlySet<string>
}

export function mirrorsOf({ topics, patterns, forgotten }: MirrorNames): Mirrors {
  const filters = patterns.map(list => compilePatterns(list, 'topics'))
  return {
    has: topic =>
      topic.startsWith(OWN_PREFIX) ||
      topics.has(topic) ||
      (!forgotten.has(topic) && filters.some(filter => filter.matches(topic))),
    mayBegin: prefix =>
      OWN_PREFIX.startsWith(prefix) ||
      [...topics].some(topic => topic.startsWith(prefix)) ||
      patterns.some(list => mayTake(list, prefix)),
  }
}

/** Whether the list may take a name that begins with `prefix`. */
export function mayTake(patterns: readonly string[], prefix: string): boolean {
  if (isNeverMatched(prefix)) return false
  let mayTakeIt = false
  for (const pattern of patterns) {
    if (!pattern.startsWith('!')) mayTakeIt ||= mayMatch(pattern, prefix)
    else if (takesAll(pattern.slice(1), prefix)) mayTakeIt = false
  }
  return mayTakeIt
}

function mayMatch(pattern: string, prefix: string): boolean {
  if (pattern.startsWith('re:')) return true
  const head = /^[^*?]*/.exec(pattern)?.[0] ?? ''
  return head === pattern ? head.startsWith(prefix) : head.startsWith(prefix) || prefix.startsWith(head)
}

/** `tmp-*` takes every name that begins with `tmp-x`. */
function takesAll(pattern: string, prefix: string): boolean {
  const head = pattern.slice(0, -1)
  return pattern.endsWith('*') && !/[*?]|^re:/.test(head) && prefix.startsWith(head)
}
