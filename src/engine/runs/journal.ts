// The journal of a run, and who may carry it on: one controller at a time. It is kept by the cluster that will be active, in a
// compacted topic whose order decides: a controller claims the link with a number above all others, and looks again whether its
// claim is the highest before it acts. No clock has to agree with another one: what was confirmed holds for 5 s of this process's
// own time; one that stood still for longer looks again first (DESIGN 3). So whoever takes over from one that may live waits as long.
import { KdrError } from '../../model/errors.ts'
import {
  type Claim,
  claimKey,
  keysOfRun,
  readClaim,
  readClaims,
  readRuns,
  readSteps,
  writeRun,
  writeStep,
} from '../../model/run-records.ts'
import type { RunRecord, StepData, StepName, StepRecord } from '../../model/runs.ts'
import { toRecord } from '../../model/state-records.ts'
import type { Clock } from '../../ports/clock.ts'
import type { StateStore } from '../../ports/state.ts'

/** What was confirmed holds so long (monotonic). */
const CONFIRMED_MS = 5_000
/** A controller that has written within this time is taken for alive. */
const ALIVE_MS = 15_000
const BEAT_EVERY_MS = 3_000
const MOST_LOOKS = 5
/** The newest are kept. */
const RUNS_KEPT = 50

export type JournalInput = {
  readonly store: StateStore
  readonly clock: Clock
  readonly link: string
  /** Another one for every process. */
  readonly controller: string
  /** user@host. */
  readonly by: string
  /** Of the plan that this run is a part of: who has lost that may do nothing for its links either. */
  readonly above?: Journal | undefined
}

export class Journal {
  readonly #input: JournalInput
  /** Takes nothing once the plan is another's: a run that it does not know of would move a link behind its back. */
  readonly #store: StateStore
  #number = 0
  #confirmedAt = -Infinity
  #renewing: Promise<void> | undefined

  constructor(input: JournalInput) {
    this.#input = input
    this.#store = input.above?.guarding(input.store) ?? input.store
  }

  /** Throws KdrError('other-controller') while another one is alive, unless `takeOver`. */
  async claim(takeOver: boolean): Promise<void> {
    const { clock, link, controller } = this.#input
    const store = this.#store
    const begunAt = clock.monotonic()
    await store.refresh()
    const before = readClaim(store, link)
    if (before !== undefined && !takeOver && Math.abs(clock.now() - before.at) < ALIVE_MS)
      throw new KdrError(
        'other-controller',
        `link "${link}" is being moved by ${before.by} (${Math.round(Math.abs(clock.now() - before.at) / 1_000)} s ago)`,
        {
          hint: `If that process is gone, wait ${ALIVE_MS / 1_000} s; to take over from one that lives: --take-over`,
        },
      )
    this.#number = (before?.number ?? 0) + 1
    // One that stands still here must look again who lives.
    await this.#beat(() => clock.monotonic() - begunAt < CONFIRMED_MS)
    await this.#confirm()
    const isOther = (claim: Claim): boolean => claim.controller !== controller
    const mayAct = ({ at }: Claim): boolean => Math.abs(clock.now() - at) < ALIVE_MS
    if (readClaims(store, link).some(claim => isOther(claim) && mayAct(claim))) {
      // What it has confirmed before it could see this claim holds for so long, and it acts without another look.
      await clock.sleep(CONFIRMED_MS)
      await this.beat()
    }
    for (const other of readClaims(store, link).filter(isOther))
      await store.put(claimKey(link, other.controller), undefined)
  }

  /** Of the claim: above those of all that had it before. */
  get number(): number {
    return this.#number
  }

  /** So that the next one need not wait for it to be silent. */
  async release(): Promise<void> {
    const { store, link, controller } = this.#input
    await store.put(claimKey(link, controller), toRecord('claim', { ...this.#claim(), at: 0 }))
  }

  /** Before each write to a cluster. Throws KdrError: other-controller, unreachable. */
  readonly guard = async (): Promise<void> => {
    await this.#input.above?.guard()
    for (let looks = 0; looks === 0 || !this.isSure(); looks++) {
      const age = this.#input.clock.monotonic() - this.#confirmedAt
      if (age < BEAT_EVERY_MS) return
      // Who stood still in the middle of a look looks again.
      if (looks === MOST_LOOKS)
        throw new KdrError('unreachable', `the journal cannot be read within ${CONFIRMED_MS / 1_000} s`)
      // Of many that ask at once, one looks.
      this.#renewing ??= (age >= CONFIRMED_MS ? this.#confirm() : this.beat()).finally(() => {
        this.#renewing = undefined
      })
      await this.#renewing
    }
  }

  /** What this controller has confirmed still holds. */
  readonly isSure = (): boolean =>
    this.#input.clock.monotonic() - this.#confirmedAt < CONFIRMED_MS && this.#input.above?.isSure() !== false

  /** A store that takes records only while this controller's claim counts, whoever of it puts them. */
  guarding(store: StateStore): StateStore {
    return {
      refresh: async () => await store.refresh(),
      get position() {
        return store.position
      },
      get: key => store.get(key),
      entries: prefix => store.entries(prefix),
      put: async (key, record, mayStill) => {
        await this.guard()
        await store.put(key, record, () => this.isSure() && mayStill?.() !== false)
      },
    }
  }

  /** Shows that this controller lives; between steps, and while one of them waits. */
  async beat(): Promise<void> {
    await this.#beat()
    await this.#confirm()
  }

  run(id: string): RunRecord | undefined {
    return this.runs().find(({ run }) => run === id)
  }

  /** Newest first. */
  runs(): RunRecord[] {
    return readRuns(this.#input.store)
  }

  steps(run: string): StepRecord[] {
    return readSteps(this.#input.store, run)
  }

  dataOf<Name extends StepName>(run: string, name: Name): StepData[Name] | undefined {
    return this.steps(run).find(step => step.name === name)?.data as StepData[Name] | undefined
  }

  async writeRun(record: RunRecord): Promise<void> {
    const store = this.#store
    await writeRun(store, record, this.#number)
    for (const { run } of this.runs().slice(RUNS_KEPT))
      for (const key of keysOfRun(store, run)) await store.put(key, undefined)
  }

  /** Durable when it resolves, and this controller's claim still the one that counts. */
  async writeStep(run: string, step: StepRecord): Promise<void> {
    await writeStep(this.#store, run, step, this.#number)
    await this.#confirm()
  }

  #claim() {
    const { clock, by } = this.#input
    return { number: this.#number, at: clock.now(), by }
  }

  async #beat(mayStill?: () => boolean): Promise<void> {
    const { link, controller } = this.#input
    await this.#store.put(claimKey(link, controller), toRecord('claim', this.#claim()), mayStill)
  }

  async #confirm(): Promise<void> {
    const { store, clock, link, controller } = this.#input
    const begunAt = clock.monotonic()
    await store.refresh()
    const now = readClaim(store, link)
    if (now?.controller !== controller)
      throw new KdrError(
        'other-controller',
        `the run of link "${link}" was taken over by ${now?.by ?? 'somebody'}: this one stops, and changes nothing more`,
      )
    this.#confirmedAt = begunAt
  }
}
