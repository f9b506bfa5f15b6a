// Which names a list of patterns takes. The last pattern that matches decides; `!x` excludes.
// Three kinds of names are careful exceptions, because copying them by accident breaks a cluster:
// - NEVER: Kafka's own `__consumer_offsets` and the like, and kdr's own. No pattern takes them.
// - `__*`: only a literal pattern takes one.
// - the internal topics of known programs (`_schemas`, Connect's, ...): a registry at the standby would be a foreign
//   writer, so a broad pattern passes them by. A pattern is broad when it names nothing: a glob without a letter, a
//   digit or a leading `_` (`*`, `*-*`), or a regular expression that also matches a made-up name.

export type PatternKind = 'topics' | 'groups' | 'any'

export interface NameFilter {
  readonly patterns: readonly string[]
  matches(name: string): boolean
  /** The pattern that decided, `!` included; undefined when none matched or the name can never match. */
  decidedBy(name: string): string | undefined
}

type Pattern = {
  readonly text: string
  readonly excludes: boolean
  readonly isLiteral: boolean
  readonly isBroad: boolean
  readonly expression: RegExp
}

const NEVER =
  /^(_kdr\..*|__consumer_offsets|__transaction_state|__share_group_state|__cluster_metadata|__remote_log_metadata)$/s

const INTERNAL: readonly { readonly program: string; readonly expression: RegExp }[] = [
  { program: 'Schema Registry', expression: /^_schemas/ },
  {
    program: 'Kafka Connect',
    expression: /^(.*[-_.])?connect[-_.](.*[-_.])?(configs?|offsets?|status(es)?)$/,
  },
  { program: 'MirrorMaker 2', expression: /^(mm2-.*|(.*\.)?heartbeats|.*\.checkpoints\.internal)$/ },
  { program: 'Confluent', expression: /^_confluent/ },
]

const MADE_UP_NAME = 'qx7-made.up_name'

/** The program that a topic is an internal one of, judged by its name. */
export function internalTopicOf(topic: string): string | undefined {
  return INTERNAL.find(({ expression }) => expression.test(topic))?.program
}

/** Names that no pattern takes: Kafka's own internal topics, and kdr's. */
export function isNeverMatched(name: string): boolean {
  return NEVER.test(name)
}

/** What is wrong with a pattern, as a sentence; undefined when it is right. */
export function patternProblem(text: string, kind: PatternKind): string | undefined {
  const bare = text.startsWith('!') ? text.slice(1) : text
  if (bare === '' || bare === 're:') return 'an empty pattern matches nothing'
  if (bare.startsWith('re:')) {
    try {
      compileExpression(bare.slice(3))
      return undefined
    } catch (error) {
      return `"${bare}" is not a regular expression: ${error instanceof Error ? error.message : String(error)}`
    }
  }
  if (kind === 'topics' && /[^A-Za-z0-9._\-*?]/.test(bare)) {
    return `"${text}" has a character that no topic name can have (a regular expression begins with \`re:\`)`
  }
  if (!text.startsWith('!') && !/[*?]/.test(bare) && isNeverMatched(bare))
    return `"${bare}" is never copied: it belongs to the cluster itself`
  return undefined
}

/**
 * `topics` applies every exception above; `groups` only those of kdr and `__*` (a Connect worker's group is what one
 * wants to copy); `any` none: for choosing among names that are already in (overrides). Throws on a bad expression.
 */
export function compilePatterns(patterns: readonly string[], kind: PatternKind): NameFilter {
  const compiled = patterns.map(compilePattern)

  const deciding = (name: string): Pattern | undefined => {
    if (kind !== 'any' && isNeverMatched(name)) return undefined
    return compiled.findLast(
      pattern => pattern.expression.test(name) && (pattern.excludes || mayTake(pattern, name, kind)),
    )
  }

  return {
    patterns,
    matches: name => deciding(name)?.excludes === false,
    decidedBy: name => deciding(name)?.text,
  }
}

function mayTake(pattern: Pattern, name: string, kind: PatternKind): boolean {
  if (kind === 'any' || pattern.isLiteral) return true
  if (name.startsWith('__')) return false
  return kind === 'groups' || !pattern.isBroad || internalTopicOf(name) === undefined
}

function compilePattern(text: string): Pattern {
  const excludes = text.startsWith('!')
  const bare = excludes ? text.slice(1) : text
  if (bare.startsWith('re:')) {
    const expression = compileExpression(bare.slice(3))
    return { text, excludes, isLiteral: false, isBroad: expression.test(MADE_UP_NAME), expression }
  }
  const source = bare.replace(/[\\^$.*+?()[\]{}|]/g, found =>
    found === '*' ? '.*' : found === '?' ? '.' : `\\${found}`,
  )
  return {
    text,
    excludes,
    isLiteral: !/[*?]/.test(bare),
    isBroad: !/[A-Za-z0-9]|^_/.test(bare),
    expression: new RegExp(`^${source}$`, 's'),
  }
}

/** Whole-name match, as for a glob. */
function compileExpression(source: string): RegExp {
  // Alone first: the brackets around it could make a broken expression whole.
  const alone = new RegExp(source, 'u')
  return new RegExp(`^(?:${alone.source})$`, 'us')
}

/**
 * Whether a place, as words such as `link:east-west topic:pay-in`, is what these patterns mean: each of them fits one of its words.
 * Undefined, or without a pattern: anywhere.
 */
export function placeFilter(patterns: string | undefined): (place: string) => boolean {
  const words = (patterns ?? '').split(/\s+/).filter(word => word !== '')
  const wanted = words.map(word => compilePatterns([word], 'any'))
  return place => {
    const found = place.split(' ')
    return wanted.every(word => found.some(each => word.matches(each)))
  }
}
