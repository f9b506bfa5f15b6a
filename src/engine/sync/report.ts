// How ACLs, quotas and users tell where they stand: in `_kdr.state`, for `kdr status`, and once in the log. What has not changed is
// not written again.
import { findKdrError, KdrError } from '../../model/errors.ts'
import { codeName, isAuthorization, KafkaCode } from '../../model/kafka-codes.ts'
import { readRights, type Rights, rightsKey } from '../../model/rights.ts'
import { isSameValue } from '../../model/same-value.ts'
import { toRecord } from '../../model/state-records.ts'
import type { Outcome } from '../../ports/cluster.ts'
import type { Log } from '../../ports/log.ts'
import type { StateStore } from '../../ports/state.ts'

/** A record holds 64 KB. */
const MAX_RECORD_BYTES = 60_000

export type RightsContext = {
  readonly link: string
  readonly store: StateStore
  /** Asked before each act: throws when another worker does it by now. */
  readonly assertControl: () => Promise<void>
  /** Asked before each attempt to write a record: what a worker knew must not come after its time. */
  readonly mayStill: () => boolean
  readonly log: Log
}

export class RightsReporter<Part extends keyof Rights> {
  readonly #context: RightsContext
  readonly #part: Part
  readonly #told = new Set<string>()

  constructor(context: RightsContext, part: Part) {
    this.#context = context
    this.#part = part
  }

  get last(): Rights[Part] | undefined {
    return readRights(this.#context.store, this.#context.link, this.#part)
  }

  async tell(report: Rights[Part]): Promise<void> {
    const { link, store, assertControl, mayStill, log } = this.#context
    const { state, sentence } = report
    if (sentence !== undefined && !this.#told.has(sentence)) {
      this.#told.add(sentence)
      log.event(state === 'off' ? 'info' : 'warn', `link "${link}": ${sentence}`)
    }
    const record = toRecord('rights', report)
    if (isSameValue(this.last, record)) return
    await assertControl()
    await store.put(rightsKey(link, this.#part), record, mayStill)
  }
}

/** Brings records in step with what is to be remembered; `keyOf` and `prefix` name the records. */
export async function remember(
  { store, assertControl, mayStill }: RightsContext,
  of: {
    readonly kind: string
    readonly prefix: string
    readonly buckets: ReadonlyMap<number, object>
  },
): Promise<void> {
  const wanted = new Map(
    [...of.buckets].map(([n, bucket]) => [`${of.prefix}${n}`, toRecord(of.kind, bucket)]),
  )
  const changed = [...wanted].filter(([key, record]) => !isSameValue(store.get(key), record))
  const gone = store
    .entries(of.prefix)
    .map(([key]) => key)
    .filter(key => !wanted.has(key))
  for (const [key, record] of changed)
    if (JSON.stringify(record).length > MAX_RECORD_BYTES)
      throw new KdrError('cluster-lacks', `there are too many ${of.kind} for "${key}" to remember them`)
  if (changed.length + gone.length === 0) return
  await assertControl()
  await Promise.all([
    ...changed.map(async ([key, record]) => await store.put(key, record, mayStill)),
    ...gone.map(async key => await store.put(key, undefined, mayStill)),
  ])
}

/** Runs a round; returns the sentence when one of the clusters lacks what it takes. */
export async function whatIsLacking(round: () => Promise<void>): Promise<string | undefined> {
  try {
    await round()
    return undefined
  } catch (error) {
    const known = findKdrError(error)
    if (known?.code !== 'cluster-lacks') throw error
    return known.message
  }
}

/** Undefined when it may be done. */
export function missingRight(
  { code }: Outcome,
  { may, cluster, right }: { readonly may: string; readonly cluster: string; readonly right: string },
): string | undefined {
  return isAuthorization(code)
    ? `kdr may not ${may} of "${cluster}": it needs ${right} on the cluster (${codeName(code)})`
    : undefined
}

/** For an answer that is neither success nor a right that is missing. */
export function assertAnswered({ code, message }: Outcome, what: string, cluster: string): void {
  if (code === KafkaCode.NONE) return
  const why = message === undefined ? '' : `: ${message}`
  throw new KdrError('unreachable', `cluster "${cluster}" does not show its ${what}: ${codeName(code)}${why}`)
}
