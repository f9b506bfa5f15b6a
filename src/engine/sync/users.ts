// SCRAM users. What a password is cannot be read from any cluster, so users cannot be copied: those of the source that the target
// does not have are named. Users whose secret the config names are made at the target, and proven with a login. A user
// that the target has already is proven too, and never changed, unless kdr has made it.
import { findKdrError } from '../../model/errors.ts'
import { codeName, KafkaCode } from '../../model/kafka-codes.ts'
import {
  type ConfiguredUser,
  MISSING_KEPT,
  readMadeUser,
  type RightsReport,
  type UsersReport,
  userKey,
} from '../../model/rights.ts'
import { toRecord } from '../../model/state-records.ts'
import type { Clock } from '../../ports/clock.ts'
import type { RightsAdmin, ScramMechanism, ScramUser } from '../../ports/rights.ts'
import { assertAnswered, missingRight, type RightsContext, RightsReporter, whatIsLacking } from './report.ts'

export type UserToMake = {
  /** At the target. */
  readonly name: string
  readonly mechanism: ScramMechanism
  /** Read anew each time. Throws KdrError('config-invalid') that names the reference. */
  readonly password: () => Promise<string>
  /** Signs in at the target as this user. Throws KdrError: not-allowed when it is refused. */
  readonly login: () => Promise<void>
}

export type UserSide = Pick<RightsAdmin, 'describeScramUsers' | 'alterScramUser'> & { readonly name: string }

export type UserSyncInput = RightsContext & {
  readonly source: Pick<UserSide, 'name' | 'describeScramUsers'>
  readonly target: UserSide
  readonly principals: Readonly<Record<string, string>>
  /** kdr's own principals: each cluster has its own. */
  readonly own: ReadonlySet<string>
  readonly users: readonly UserToMake[]
  readonly clock: Clock
}

/** A broker learns of a new user a moment after the controller. */
const LEARNS_WITHIN_MS = 5_000
const LOOK_EVERY_MS = 200
/** A login costs the target a connection, and passwords change rarely. */
const PROVE_EVERY_MS = 600_000

type Login = Pick<ConfiguredUser, 'login' | 'sentence'>
type Users = { readonly users: readonly ScramUser[] } | { readonly sentence: string }

export class UserSync {
  readonly #input: UserSyncInput
  readonly #reporter: RightsReporter<'users'>
  readonly #proven = new Map<UserToMake, { readonly at: number; readonly login: Login }>()

  constructor(input: UserSyncInput) {
    this.#input = input
    this.#reporter = new RightsReporter(input, 'users')
  }

  /** Throws KdrError: unreachable, other-controller. */
  async round(): Promise<void> {
    const sentence = await whatIsLacking(async () => await this.#follow())
    // A cluster that knows no SCRAM has no such users either.
    const state = this.#input.users.length === 0 ? 'off' : 'refused'
    if (sentence !== undefined) await this.#tell({ state, sentence })
  }

  async #follow(): Promise<void> {
    const { source, target, store } = this.#input
    await store.refresh()
    const there = await this.#usersOf(target)
    if ('sentence' in there) return await this.#tell({ state: 'refused', sentence: there.sentence })
    const configured: ConfiguredUser[] = []
    for (const user of this.#input.users) configured.push(await this.#seeTo(user, there.users))
    const refused = configured.find(({ login }) => login === 'refused')
    const made = new Set([
      ...there.users.map(({ name }) => name),
      ...configured.filter(({ isMadeByKdr }) => isMadeByKdr).map(({ user }) => user),
    ])
    const at = await this.#usersOf(source)
    if ('sentence' in at) return await this.#tell({ state: 'refused', sentence: at.sentence, configured })
    const wanted = this.#namesAtTarget(at.users)
    const missing = wanted.filter(name => !made.has(name))
    await this.#tell({
      state: refused === undefined ? 'followed' : 'refused',
      ...(refused?.sentence !== undefined && { sentence: refused.sentence }),
      present: wanted.length - missing.length,
      missing: missing.slice(0, MISSING_KEPT),
      missingCount: missing.length,
      configured,
    })
  }

  /** Of the source's users, kdr's own left out. */
  #namesAtTarget(users: readonly ScramUser[]): string[] {
    const { principals, own } = this.#input
    const names = users
      .map(({ name }) => `User:${name}`)
      .filter(principal => !own.has(principal))
      .map(principal => principals[principal] ?? principal)
    return [...new Set(names)].map(principal => principal.replace(/^User:/, '')).toSorted()
  }

  async #usersOf(side: Pick<UserSide, 'name' | 'describeScramUsers'>): Promise<Users> {
    const answer = await side.describeScramUsers()
    const asked = { may: 'list the SCRAM users', cluster: side.name, right: 'DESCRIBE' }
    const sentence = missingRight(answer, asked)
    if (sentence !== undefined) return { sentence }
    assertAnswered(answer, 'SCRAM users', side.name)
    return { users: answer.users }
  }

  async #seeTo(user: UserToMake, there: readonly ScramUser[]): Promise<ConfiguredUser> {
    const { store, link } = this.#input
    const { name, mechanism } = user
    const isThere = there.some(each => each.name === name && each.mechanisms.includes(mechanism))
    const isMadeByKdr = readMadeUser(store, link, user) !== undefined
    const shown = { user: name, mechanism, isMadeByKdr }
    try {
      if (!isThere) return { ...shown, isMadeByKdr: true, ...(await this.#make(user)) }
      const before = this.#proven.get(user)
      const seen = await this.#prove(user)
      const isNews = this.#proven.get(user) !== before
      if (seen.login !== 'refused' || !isMadeByKdr || !isNews) return { ...shown, ...seen }
      // The password of the config has changed since.
      return { ...shown, ...(await this.#make(user)) }
    } catch (error) {
      const known = findKdrError(error)
      if (known === undefined || known.code === 'other-controller' || known.code === 'unreachable')
        throw error
      return { ...shown, login: 'unproven', sentence: `user "${name}": ${known.message}` }
    }
  }

  async #make(user: UserToMake): Promise<Login> {
    const { store, link, target, assertControl, mayStill, clock, log } = this.#input
    const { name, mechanism } = user
    const key = userKey(link, name, mechanism)
    const password = await user.password()
    await assertControl()
    await store.put(key, toRecord('user', { mechanism, at: clock.now() }), mayStill)
    await assertControl()
    const outcome = await target.alterScramUser({ name, mechanism, password })
    if (outcome.code !== KafkaCode.NONE) {
      await store.put(key, undefined, mayStill)
      const asked = { may: 'make SCRAM users', cluster: target.name, right: 'ALTER' }
      const why = missingRight(outcome, asked) ?? `${codeName(outcome.code)} ${outcome.message ?? ''}`.trim()
      return { login: 'refused', sentence: `user "${name}" is not made at "${target.name}": ${why}` }
    }
    log.event('info', `link "${link}": made user "${name}" (${mechanism}) at "${target.name}"`)
    const deadline = clock.monotonic() + LEARNS_WITHIN_MS
    this.#proven.delete(user)
    let seen = await this.#prove(user)
    while (seen.login !== 'proven' && clock.monotonic() < deadline) {
      await clock.sleep(LOOK_EVERY_MS)
      this.#proven.delete(user)
      seen = await this.#prove(user)
    }
    return seen
  }

  async #prove(user: UserToMake): Promise<Login> {
    const { clock, target } = this.#input
    const known = this.#proven.get(user)
    if (known !== undefined && clock.monotonic() - known.at < PROVE_EVERY_MS) return known.login
    const login = await user.login().then(
      (): Login => ({ login: 'proven' }),
      (error: unknown): Login => {
        const why = findKdrError(error)
        if (why === undefined) throw error
        const sentence = `user "${user.name}" cannot sign in at "${target.name}" with the password of the config: ${why.message}`
        return { login: why.code === 'not-allowed' ? 'refused' : 'unproven', sentence }
      },
    )
    // Whoever could not be asked is asked again.
    if (login.login !== 'unproven') this.#proven.set(user, { at: clock.monotonic(), login })
    return login
  }

  async #tell(report: RightsReport & Partial<UsersReport>): Promise<void> {
    const { present = 0, missing = [], missingCount = 0, configured = [] } = this.#reporter.last ?? {}
    await this.#reporter.tell({ present, missing, missingCount, configured, ...report })
  }
}
