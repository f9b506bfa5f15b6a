// What an operator has paused (`kdr link pause`): a link, a topic or a partition, each a record of its own in
// `_kdr.state`, so that it outlives every worker.

/** No topic: the whole link. No partition: the whole topic. */
export type Scope = { readonly topic?: string; readonly partition?: number }

export type Pause = {
  /** ms since 1970. */
  readonly at: number
  /** user@host. */
  readonly by: string
  readonly reason?: string
}
export type ScopedPause = Pause & { readonly scope: Scope }

type StateReader = { entries(prefix: string): readonly (readonly [string, unknown])[] }

const prefixOf = (link: string): string => `pause/${link}/`
export const pauseKey = (link: string, { topic, partition }: Scope): string =>
  `${prefixOf(link)}${topic ?? ''}/${partition ?? ''}`

export function readPauses(store: StateReader, link: string): ScopedPause[] {
  const prefix = prefixOf(link)
  return store.entries(prefix).map(([key, record]) => {
    const [topic = '', partition = ''] = key.slice(prefix.length).split('/')
    return { ...(record as Pause), scope: scopeOf(topic, partition) }
  })
}

function scopeOf(topic: string, partition: string): Scope {
  if (topic === '') return {}
  return partition === '' ? { topic } : { topic, partition: Number(partition) }
}

/** Whether everything in `inner` is in `outer` too. */
export function covers(outer: Scope, inner: Scope): boolean {
  if (outer.topic === undefined) return true
  return outer.topic === inner.topic && (outer.partition === undefined || outer.partition === inner.partition)
}

/** The widest pause that holds a partition. */
export function pauseOf(
  pauses: readonly ScopedPause[],
  of: { readonly topic: string; readonly partition: number },
): ScopedPause | undefined {
  const width = ({ scope }: ScopedPause): number =>
    scope.topic === undefined ? 2 : scope.partition === undefined ? 1 : 0
  return pauses.filter(({ scope }) => covers(scope, of)).toSorted((a, b) => width(b) - width(a))[0]
}

/** `topic "t" partition 3 of link "l"`. */
export function nameScope(link: string, { topic, partition }: Scope): string {
  if (topic === undefined) return `link "${link}"`
  return `topic "${topic}"${partition === undefined ? '' : ` partition ${partition}`} of link "${link}"`
}

const flagsOf = ({ topic, partition }: Scope): string =>
  `${topic === undefined ? '' : ` --topic ${topic}`}${partition === undefined ? '' : ` --partition ${partition}`}`

/** Why a partition stands still, and the command that lets it go on. */
export function pausedSentence(link: string, name: string, { scope, by, at, reason }: ScopedPause): string {
  const why = reason === undefined ? '' : `: ${reason}`
  return `"${name}": paused by ${by} at ${new Date(at).toISOString()}${why}. To go on: kdr link resume ${link}${flagsOf(scope)}`
}
