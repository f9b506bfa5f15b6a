// Topics of a link become those of another one between the same clusters, so that they can be moved alone. Nothing is copied anew: what is
// known of their mirrors goes along, and the link that takes them writes there as another worker would that takes a slot. Both stand
// aside meanwhile. The links' records come last, with the next generation: before them nothing counts, and after them whoever of the old
// link stood still all the while finds that it is none of its workers any more. What was interrupted is repeated, and goes on.
import { findKdrError, KdrError } from '../../model/errors.ts'
import { closeEntry, writeJournal } from '../../model/journal.ts'
import type { LinkSettings } from '../../model/link-settings.ts'
import { pauseKey, readPauses, type ScopedPause } from '../../model/pauses.ts'
import { compilePatterns } from '../../model/patterns.ts'
import {
  commandKey,
  forgottenKey,
  holdKey,
  keysOfMirror,
  leavingKey,
  type LinkRecord,
  linkKey,
  partitionKey,
  readCommands,
  readHold,
  readLeaving,
  readLink,
  readSlots,
  readTopic,
  readTopics,
  slotKey,
  stoppedKey,
  topicKey,
  toRecord,
} from '../../model/state-records.ts'
import type { Clock } from '../../ports/clock.ts'
import type { StateStore } from '../../ports/state.ts'
import { assertDenialsPart, giveRights, letGoOfDenials } from './hand-over-rights.ts'
import { standAside } from './stand-aside.ts'

/** As the config has them, or as they lead now. */
export type HandOver = {
  readonly from: LinkSettings
  readonly to: LinkSettings
  /** Of the target of both. Neither cluster is asked for anything else: the source may be dark. */
  readonly store: StateStore
  /** Of the source, which remembers denials too. Undefined: it does not answer, or kdr may not read it. */
  readonly sourceStore?: StateStore | undefined
}

export type HandOverPlan = {
  readonly topics: readonly string[]
  /** It was begun, and interrupted. */
  readonly isUnfinished: boolean
}

export type HandingOver = HandOver & {
  readonly clock: Clock
  /** user@host. */
  readonly by: string
  readonly reason?: string | undefined
  readonly guard: () => Promise<void>
  readonly progress: (what: string) => void
}

/** What a worker has sent that let go of its slots without a word, or died, cannot land after so long. */
const LANDED_WITHIN_MS = 5_000
const LOOK_EVERY_MS = 100
const NAMES_SHOWN = 3
/** What is known of a partition. */
const OF_PARTITION = ['partition', 'ledger', 'seeding']

export const handOverCommand = ({ from, to }: Pick<HandOver, 'from' | 'to'>): string =>
  `kdr link hand-over ${from.name} ${to.name}`

/** The same whenever it is repeated. */
const runOf = ({ from, to }: HandOver): string => `hand-over-${from.name}-${to.name}`

/**
 * Changes nothing. Throws KdrError: 'usage' where the two links do not fit together, 'not-ready' where something has to be put right
 * first.
 */
export async function observeHandOver(input: HandOver): Promise<HandOverPlan> {
  const { from, to, store, sourceStore } = input
  await store.refresh()
  await sourceStore?.refresh()
  const giver = readLink(store, from.name)
  if (giver === undefined)
    throw new KdrError('usage', `link "${from.name}" has never run: there is nothing to hand over`, {
      hint: 'See: kdr status',
    })
  assertSameWay(input, giver)
  const holds = [from, to].map(({ name }) => ({ name, run: readHold(store, name)?.run }))
  const other = holds.find(({ run }) => run !== undefined && run !== runOf(input))
  if (other !== undefined)
    throw new KdrError('not-ready', `link "${other.name}" is being moved by run ${other.run ?? ''}`, {
      hint: 'When that is over, repeat the command.',
    })
  const [kept, wanted] = [from, to].map(({ topics }) => compilePatterns(topics, 'topics'))
  const topics = [...readTopics(store, from.name).keys()].filter(topic => wanted!.matches(topic)).toSorted()
  const both = topics.filter(topic => kept!.matches(topic))
  if (both.length > 0)
    throw new KdrError('usage', `links "${from.name}" and "${to.name}" both take ${shown(both)}`, {
      hint: `Leave them out of \`topics:\` of link "${from.name}" in the config, as with "!${both[0]!}".`,
    })
  const isUnfinished = holds.some(({ run }) => run !== undefined)
  if (topics.length === 0 && !isUnfinished)
    throw new KdrError('usage', `link "${from.name}" mirrors no topic that link "${to.name}" takes`, {
      hint: `See: kdr status --link ${from.name} --all`,
    })
  assertNotBothCopied(input, topics)
  // Once they are held nobody would do what was asked since (letGo refuses it), and a source that died is not waited for: or the
  // links would be held for ever.
  if (!isUnfinished) {
    assertNothingUnderWay(input, topics)
    assertDenialsPart(input, topics)
  }
  return { topics, isUnfinished }
}

/** Between the same clusters, and both copied now. */
function assertSameWay({ from, to, store }: HandOver, giver: LinkRecord): void {
  const taker = readLink(store, to.name)
  const leads = ({ sourceClusterId, targetClusterId }: LinkRecord): string =>
    `${sourceClusterId} ${targetClusterId}`
  const waiting = [giver, taker].findIndex(record => record?.isWaiting === true)
  const { name } = waiting === 1 ? to : from
  if (waiting >= 0)
    throw new KdrError('not-ready', `link "${name}" waits since a failover`, {
      hint: `When the old active is back: kdr failback ${name}`,
    })
  const isSame = from.source === to.source && from.target === to.target
  if (isSame && (taker === undefined || leads(taker) === leads(giver))) return
  throw new KdrError(
    'usage',
    `links "${from.name}" and "${to.name}" do not lead from the same cluster to the same cluster`,
    { hint: 'See: kdr status. Where one of them was moved, lead it home first: kdr failback' },
  )
}

function assertNothingUnderWay({ from, to, store }: HandOver, topics: readonly string[]): void {
  const own = new Set(topics)
  for (const { name } of [from, to]) {
    const asked = [...readCommands(store, name).values()].flatMap(({ topic }) => topic ?? [])
    const busy = [...asked, ...readLeaving(store, name)].find(topic => own.has(topic))
    if (busy === undefined) continue
    throw new KdrError('not-ready', `something was asked of topic "${busy}" of link "${name}"`, {
      hint: `When that is done, repeat the command; see: kdr link log ${name}`,
    })
  }
}

/** Two that have written to one mirror: which of the two records is true nobody can tell. */
function assertNotBothCopied({ from, to, store }: HandOver, topics: readonly string[]): void {
  for (const topic of topics) {
    const [theirs, own] = [readTopic(store, from.name, topic), readTopic(store, to.name, topic)]
    if (own === undefined) continue
    const isOther = own.targetTopicId !== theirs?.targetTopicId
    const differs = store.entries(`partition/${from.name}/${topic}/`).some(([key, record]) => {
      const known = store.get(partitionKey(to.name, topic, Number(key.slice(key.lastIndexOf('/') + 1))))
      return known !== undefined && JSON.stringify(known) !== JSON.stringify(record)
    })
    if (!isOther && !differs) continue
    throw new KdrError('not-ready', `link "${to.name}" has copied to topic "${topic}" too`, {
      hint: `Stop \`kdr run\` of both, and let one of them go of it: kdr link forget ${to.name} --topic ${topic}`,
    })
  }
}

/** `store`: under the claims of both links. Resolves with what was handed over. Throws as observeHandOver does. */
export async function handOver(input: HandingOver): Promise<HandOverPlan> {
  const { from, to, store, guard } = input
  const run = runOf(input)
  await observeHandOver(input)
  const resume = handOverCommand(input)
  for (const settings of [from, to]) {
    // Of one that has not run yet the first is held: a worker that begins now makes that.
    const generation = readLink(store, settings.name)?.generation ?? 1
    await standAside({ ...input, settings, record: { run, generation, resume } })
  }
  for (const { name } of [from, to]) await untilLanded(input, name)
  // Nobody writes any more: only now it holds.
  const plan = await observeHandOver(input)
  await guard()
  await shareSlots(input)
  await giveRights(input, plan.topics)
  await give(input, plan.topics)
  await letGoOfDenials(input, plan.topics)
  await letGo(input, plan.topics)
  await guard()
  await raise(input)
  await tellSource(input)
  return plan
}

/** Whoever has let go of its slots in good order has nothing on its way. */
async function untilLanded({ store, clock, guard, progress }: HandingOver, link: string): Promise<void> {
  const until = clock.monotonic() + LANDED_WITHIN_MS
  for (;;) {
    await store.refresh()
    if ([...readSlots(store, link).values()].every(({ isClean }) => isClean)) return
    if (clock.monotonic() >= until) return
    progress(`waits for what workers of link "${link}" may have sent`)
    await clock.sleep(LOOK_EVERY_MS)
    await guard()
  }
}

/**
 * The mirrors hold batches of the giver: its producers are known to the taker from now on. One that has no mirrors of its own writes on
 * under the same producer, so that what of the giver comes late after all is refused by its sequence, as at any take-over of a slot.
 */
async function shareSlots({ from, to, store }: HandOver): Promise<void> {
  const [givers, takers] = [readSlots(store, from.name), readSlots(store, to.name)]
  const all = [...givers.values(), ...takers.values()]
  const producers = [...new Set(all.flatMap(each => each.producers))]
  const generation = Math.max(0, ...all.map(each => each.generation)) + 1
  const hasOwn = [...readTopics(store, to.name)].some(
    ([topic, { targetTopicId }]) => readTopic(store, from.name, topic)?.targetTopicId !== targetTopicId,
  )
  // Of one that was moved, and has not run since, no slot is known.
  const slots = hasOwn ? new Map([...givers, ...takers]) : new Map([...takers, ...givers])
  const free = { owner: '', generation, producers, isClean: true }
  await putAll(
    store,
    [...slots].map(([slot, record]) => [slotKey(to.name, slot), toRecord('slot', { ...record, ...free })]),
  )
}

/** The records of the topics last: with them, all that is known of their mirrors is there. */
async function give({ from, to, store }: HandOver, topics: readonly string[]): Promise<void> {
  const anew = new Set(topics.filter(topic => readTopic(store, to.name, topic) === undefined))
  const puts = topics.flatMap(topic => {
    const known = OF_PARTITION.flatMap(kind => store.entries(`${kind}/${from.name}/${topic}/`))
    const copied = known.flatMap(([key, record]) => {
      const own = key.replace(`/${from.name}/`, `/${to.name}/`)
      return anew.has(topic) || store.get(own) === undefined ? [[own, record] as const] : []
    })
    const pauses = pausesOf(store, from.name, topic).map(
      ({ scope, ...pause }) => [pauseKey(to.name, scope), toRecord('pause', pause)] as const,
    )
    const old = [forgottenKey(to.name, topic), stoppedKey(to.name, topic)]
    return [...copied, ...pauses, ...old.map(key => [key, undefined] as const)]
  })
  await putAll(store, puts)
  await putAll(
    store,
    [...anew].map(topic => [topicKey(to.name, topic), store.get(topicKey(from.name, topic))] as const),
  )
}

/** Of a link that is paused as a whole the topic stays paused: its own pause, if any, says by whom. */
function pausesOf(store: StateStore, link: string, topic: string): ScopedPause[] {
  const all = readPauses(store, link)
  const own = all.filter(({ scope }) => scope.topic === topic)
  if (own.some(({ scope }) => scope.partition === undefined)) return own
  const whole = all.filter(({ scope }) => scope.topic === undefined)
  return [...own, ...whole.map(pause => ({ ...pause, scope: { topic } }))]
}

/** Whoever still has the config of before leaves them alone. The records of the topics last: who repeats this finds the rest by them. */
async function letGo(input: HandingOver, topics: readonly string[]): Promise<void> {
  const { from, to, store, clock, by } = input
  await refuseCommands(input, topics)
  const puts = topics.flatMap(topic => {
    const { targetTopicId } = readTopic(store, from.name, topic) ?? {}
    const forgotten = { targetTopicId, at: clock.now(), by, reason: `link "${to.name}" has it` }
    const pauses = readPauses(store, from.name).filter(({ scope }) => scope.topic === topic)
    const old = [
      ...keysOfMirror(store, from.name, topic),
      stoppedKey(from.name, topic),
      leavingKey(from.name, topic),
      ...pauses.map(({ scope }) => pauseKey(from.name, scope)),
    ]
    return [
      ...(targetTopicId === undefined
        ? []
        : [[forgottenKey(from.name, topic), toRecord('forgotten', forgotten)] as const]),
      ...old.map(key => [key, undefined] as const),
    ]
  })
  await putAll(store, puts)
  await putAll(
    store,
    topics.map(topic => [topicKey(from.name, topic), undefined] as const),
  )
}

async function refuseCommands(
  { from, to, store, clock }: HandingOver,
  topics: readonly string[],
): Promise<void> {
  for (const [key, { topic }] of readCommands(store, from.name)) {
    if (topic === undefined || !topics.includes(topic)) continue
    const outcome = `link "${to.name}" has topic "${topic}" by now: ask it`
    const id = key.slice(commandKey(from.name, '').length)
    await closeEntry(store, from.name, id, { state: 'refused', doneAt: clock.now(), outcome })
    await store.put(key, undefined)
  }
}

/** The taker first: while the giver is held, whoever looks sees what has to be repeated. */
async function raise(input: HandingOver): Promise<void> {
  const { from, to, store, clock, by, reason } = input
  const giver = readLink(store, from.name)!
  const taker = readLink(store, to.name)
  const { run: _run, movedAt: _at, ...made } = giver
  const links: readonly (readonly [string, LinkRecord])[] = [
    [to.name, { ...(taker ?? made), generation: Math.max(giver.generation, taker?.generation ?? 0) + 1 }],
    [from.name, { ...giver, generation: giver.generation + 1 }],
  ]
  const at = clock.now()
  const what = `topics of link "${from.name}" that link "${to.name}" takes are its own`
  for (const [name, record] of links) {
    await writeJournal(store, name, {
      id: `${runOf(input)}-${at}`,
      at,
      by,
      verb: 'hand-over',
      ...(reason !== undefined && { reason }),
      what,
      state: 'done',
      doneAt: at,
    })
    await store.put(linkKey(name), toRecord('link', record))
    await store.put(holdKey(name), undefined)
  }
}

/**
 * Both clusters keep which way a link leads: without it, whoever starts a new link that leads away from home, while its target is dark,
 * would take it for one that has never run. A source that keeps nothing learns of it from the workers.
 */
async function tellSource({ from, to, store, sourceStore }: HandOver): Promise<void> {
  if (sourceStore === undefined || readLink(sourceStore, from.name) === undefined) return
  try {
    for (const { name } of [from, to])
      await sourceStore.put(linkKey(name), toRecord('link', readLink(store, name)!))
  } catch (error) {
    if (findKdrError(error) === undefined) throw error
  }
}

/** They travel together. What is not there need not be deleted. */
async function putAll(
  store: StateStore,
  puts: readonly (readonly [string, Parameters<StateStore['put']>[1]])[],
): Promise<void> {
  const needed = puts.filter(([key, record]) => record !== undefined || store.get(key) !== undefined)
  await Promise.all(needed.map(async ([key, record]) => await store.put(key, record)))
}

function shown(names: readonly string[]): string {
  const some = names.slice(0, NAMES_SHOWN).map(name => `"${name}"`)
  return names.length > NAMES_SHOWN
    ? `${some.join(', ')} and ${names.length - NAMES_SHOWN} more`
    : some.join(', ')
}
