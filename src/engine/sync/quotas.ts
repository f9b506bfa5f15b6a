// Client quotas follow the source: of users, client ids, both, addresses, and the defaults. A value that the target's own
// administrators have set stays theirs: it is reported as different, not fought over.
import { codeName, KafkaCode } from '../../model/kafka-codes.ts'
import {
  DIFFERENCES_KEPT,
  type QuotaDifference,
  quotaBuckets,
  type QuotasReport,
  readQuotas,
} from '../../model/rights.ts'
import type { Quota, QuotaChange, QuotaEntity, RightsAdmin } from '../../ports/rights.ts'
import {
  assertAnswered,
  missingRight,
  remember,
  type RightsContext,
  RightsReporter,
  whatIsLacking,
} from './report.ts'

type Values = ReadonlyMap<string, number>
/** By quota, the values that kdr has set, or was about to set when it was stopped. */
type Applied = ReadonlyMap<string, readonly number[]>

export type QuotaWorld = {
  readonly source: readonly Quota[]
  readonly target: readonly Quota[]
  readonly applied: Applied
  readonly principals: Readonly<Record<string, string>>
  /** kdr's own principals and client id: what holds kdr back at the one cluster says nothing about the other. */
  readonly own: ReadonlySet<string>
  readonly ownClientId: string
}

export type QuotaPlan = {
  /** By quota; null takes it away. */
  readonly changes: ReadonlyMap<string, number | null>
  /** While the changes are under way, and after them. */
  readonly before: Applied
  readonly after: Applied
  readonly synced: number
  readonly different: readonly QuotaDifference[]
}

/** Pure. */
export function planQuotas(world: QuotaWorld): QuotaPlan {
  const { source, target, applied, principals } = world
  const others = source.filter(quota => !isOwn(quota, world))
  const wanted = valuesOf(others.map(quota => mapUser(quota, principals)))
  const there = valuesOf(target)
  const changes = new Map<string, number | null>()
  const before = new Map(applied)
  const after = new Map<string, readonly number[]>()
  const different: QuotaDifference[] = []
  for (const [key, value] of wanted) {
    const ours = applied.get(key) ?? []
    const now = there.get(key)
    if (now === value) {
      if (ours.length > 0) after.set(key, [value])
    } else if (now === undefined || ours.includes(now)) {
      changes.set(key, value)
      before.set(key, [...new Set([value, ...ours])])
      after.set(key, [value])
    } else different.push(differenceOf(key, value, now))
  }
  for (const [key, ours] of applied) {
    const now = there.get(key)
    if (!wanted.has(key) && now !== undefined && ours.includes(now)) changes.set(key, null)
  }
  return { changes, before, after, synced: wanted.size - different.length, different }
}

/** `[[type, name], ...], key`: the same for the same quota. */
function quotaKey(entity: QuotaEntity, key: string): string {
  const sorted = entity.toSorted((a, b) => (a.type < b.type ? -1 : 1))
  return JSON.stringify([sorted.map(({ type, name }) => [type, name]), key])
}

function parseKey(text: string): { readonly entity: QuotaEntity; readonly key: string } {
  const [entity, key] = JSON.parse(text) as [[string, string | null][], string]
  return { entity: entity.map(([type, name]) => ({ type, name })), key }
}

function valuesOf(quotas: readonly Quota[]): Values {
  return new Map(
    quotas.flatMap(({ entity, values }) =>
      Object.entries(values).map(([key, value]) => [quotaKey(entity, key), value] as const),
    ),
  )
}

const isOwn = ({ entity }: Quota, { own, ownClientId }: QuotaWorld): boolean =>
  entity.some(
    ({ type, name }) =>
      (type === 'user' && name !== null && own.has(`User:${name}`)) ||
      (type === 'client-id' && name === ownClientId),
  )

function mapUser({ entity, values }: Quota, principals: Readonly<Record<string, string>>): Quota {
  return {
    values,
    entity: entity.map(({ type, name }) => ({
      type,
      name: type === 'user' ? userAt(name, principals) : name,
    })),
  }
}

function userAt<Name extends string | null>(
  name: Name,
  principals: Readonly<Record<string, string>>,
): string | Name {
  const mapped = name === null ? undefined : principals[`User:${name}`]
  return mapped?.startsWith('User:') === true ? mapped.slice('User:'.length) : name
}

function differenceOf(text: string, source: number, target: number): QuotaDifference {
  const { entity, key } = parseKey(text)
  const shown = entity.map(({ type, name }) => `${type}=${name ?? '<default>'}`).join(',')
  return { entity: shown, key, source, target }
}

/** An entity at a time, since that is what the answer is about. */
function changesOf(changes: QuotaPlan['changes']): (QuotaChange & { readonly keys: readonly string[] })[] {
  const all = [...changes].map(([text, value]) => ({ text, value, ...parseKey(text) }))
  return [...Map.groupBy(all, ({ entity }) => JSON.stringify(entity)).values()].map(some => ({
    entity: some[0]!.entity,
    values: Object.fromEntries(some.map(({ key, value }) => [key, value])),
    keys: some.map(({ text }) => text),
  }))
}

export type QuotaSide = Pick<RightsAdmin, 'describeQuotas' | 'alterQuotas'> & { readonly name: string }

export type QuotaSyncInput = RightsContext & {
  readonly source: QuotaSide
  readonly target: QuotaSide
} & Pick<QuotaWorld, 'principals' | 'own' | 'ownClientId'>

export class QuotaSync {
  readonly #input: QuotaSyncInput
  readonly #reporter: RightsReporter<'quotas'>

  constructor(input: QuotaSyncInput) {
    this.#input = input
    this.#reporter = new RightsReporter(input, 'quotas')
  }

  /** Throws KdrError: unreachable, other-controller. */
  async round(): Promise<void> {
    const sentence = await whatIsLacking(async () => await this.#follow())
    if (sentence !== undefined) await this.#tell({ state: 'refused', sentence })
  }

  async #follow(): Promise<void> {
    const { source, target, store, link } = this.#input
    await store.refresh()
    const sides: (readonly Quota[])[] = []
    for (const side of [source, target]) {
      const answer = await side.describeQuotas()
      const asked = { may: 'read the quotas', cluster: side.name, right: 'DESCRIBE_CONFIGS' }
      const sentence = missingRight(answer, asked)
      if (sentence !== undefined) return await this.#tell({ state: 'refused', sentence })
      assertAnswered(answer, 'quotas', side.name)
      sides.push(answer.quotas)
    }
    const [ofSource = [], ofTarget = []] = sides
    const plan = planQuotas({
      ...this.#input,
      source: ofSource,
      target: ofTarget,
      applied: readQuotas(store, link),
    })
    await this.#tell(await this.#carryOut(plan))
  }

  async #carryOut({ changes, before, after, synced, different }: QuotaPlan): Promise<QuotasReport> {
    const { target, assertControl, store, link, log } = this.#input
    const shown = different.slice(0, DIFFERENCES_KEPT)
    const earlier = readQuotas(store, link)
    await this.#remember(changes.size === 0 ? after : before)
    if (changes.size === 0) return { state: 'followed', synced, different: shown }
    const entries = changesOf(changes)
    await assertControl()
    const outcomes = await target.alterQuotas(entries)
    const failed = entries.flatMap(({ keys }, index) => {
      const outcome = outcomes[index]!
      return outcome.code === KafkaCode.NONE ? [] : [{ keys, ...outcome }]
    })
    const keys = new Set(failed.flatMap(one => one.keys))
    // What was not done stays as it was.
    const settled = new Map([...after].filter(([key]) => !keys.has(key)))
    for (const key of keys) if (earlier.has(key)) settled.set(key, earlier.get(key)!)
    await this.#remember(settled)
    const done = changes.size - keys.size
    if (done > 0) log.event('info', `link "${link}": ${done} quota(s) changed at "${target.name}"`)
    const [first] = failed
    if (first === undefined) return { state: 'followed', synced, different: shown }
    const asked = { may: 'change the quotas', cluster: target.name, right: 'ALTER_CONFIGS' }
    const why = missingRight(first, asked) ?? `${codeName(first.code)} ${first.message ?? ''}`.trim()
    const sentence = `${keys.size} quota(s) are not as at the source: ${why}`
    return { state: 'refused', synced: Math.max(0, synced - keys.size), different: shown, sentence }
  }

  async #remember(applied: Applied): Promise<void> {
    const { link } = this.#input
    await remember(this.#input, { kind: 'quotas', prefix: `quotas/${link}/`, buckets: quotaBuckets(applied) })
  }

  async #tell(report: Omit<QuotasReport, 'synced' | 'different'> & Partial<QuotasReport>): Promise<void> {
    const { synced = 0, different = [] } = this.#reporter.last ?? {}
    await this.#reporter.tell({ synced, different, ...report })
  }
}
