// Alerts without a Prometheus: `kdr run` looks at the rules every few seconds, tells whom `alerts:` names of what begins and what is over,
// and keeps what fires, of each link in `_kdr.state`, of each set in its vault, for whoever speaks for it next. Nothing here holds up
// copying.
import {
  type ActiveAlert,
  AlertStates,
  type FiringAlert,
  idOf,
  isFiring,
  type Step,
} from '../../../api/alerts/alert-states.ts'
import { ALERTS } from '../../../api/alerts/alerts.ts'
import {
  fingerprintOf,
  labelsOf,
  type Notification,
  notificationsOf,
} from '../../../api/alerts/notification.ts'
import type { Labels } from '../../../api/metrics/metrics.ts'
import type { AlertsConfig, Config } from '../../../config/config.ts'
import { ALERT_NAMES, type AlertName, type KeptAlert, MAX_KEPT_ALERTS } from '../../../model/alerts.ts'
import { findKdrError } from '../../../model/errors.ts'
import { isSameValue } from '../../../model/same-value.ts'
import type { Log } from '../../../ports/log.ts'
import type { App } from '../../app.ts'
import type { FollowedSet } from '../../app-vault.ts'
import type { Checks } from '../checks.ts'
import type { RunClusters } from '../clusters.ts'
import type { RunLinks } from '../links.ts'
import { EventLoopDelay } from '../metrics/process.ts'
import type { RunSets } from '../sets.ts'
import type { VaultLooks } from '../vault-looks.ts'
import { commandInput } from './command-input.ts'
import { keepCalling } from './dead-man.ts'
import { Delivery } from './delivery.ts'
import { Elsewhere } from './elsewhere.ts'
import { alertSamples, type SpokenLink, spokenFor } from './samples.ts'
import { silenceOf } from './silences.ts'

const LOOK_EVERY_MS = 10_000
/** A stop waits this long for what is on its way. */
const STOP_WAITS_MS = 2_000

/** As it is shown: what fires, and what will if it lasts. */
export type ShownAlert = ActiveAlert & { readonly silence: AlertsConfig['silences'][number] | undefined }

export type AlertingOptions = {
  readonly links: RunLinks
  readonly sets: RunSets
  readonly vaults: VaultLooks
  /** Those that this process watches. */
  readonly clusters: Pick<RunClusters, 'seen'>
  readonly checks: Pick<Checks, 'sight'>
  /** The config in force. */
  readonly config: () => Config
  readonly instance: string
  readonly log: Log
}

export class Alerting {
  readonly #app: App
  readonly #options: AlertingOptions
  // Whether this process lives is for others to say: for that there is `deadMan:`.
  readonly #states = new AlertStates(ALERTS.filter(({ when }) => !('always' in when)))
  readonly #delay = new EventLoopDelay()
  readonly #elsewhere: Elsewhere
  readonly #deliveries: readonly Delivery[]
  /** Ids of what was told, or will be. */
  readonly #told = new Set<string>()
  /** What is over, and not everybody has heard so. */
  #unheard: readonly FiringAlert[] = []
  /** Links and sets that this process speaks for, and what was kept of each last. */
  readonly #spoken = new Map<string, readonly KeptAlert[]>()
  readonly #keeping = new Set<string>()
  /** Sets that it has spoken for once: what fires of them it knows by itself, also when they come back into the config. */
  readonly #setsKnown = new Set<string>()
  readonly #stopping = new AbortController()
  readonly #ending = new AbortController()
  readonly #failed = Promise.withResolvers<never>()

  constructor(app: App, options: AlertingOptions) {
    this.#app = app
    this.#options = options
    this.#elsewhere = new Elsewhere(app)
    // Whoever awaits it hears of it.
    this.#failed.promise.catch(() => undefined)
    const { alertChannels } = app.services
    const { clock } = app
    const { log, config } = options
    const onGivenUp = (notification: Notification): void => this.#tellAnew(notification)
    this.#deliveries = [
      new Delivery({
        what: 'the webhook',
        onGivenUp,
        send: async notification => {
          const url = config().alerts?.webhook
          if (url !== undefined) await alertChannels.request(url, JSON.stringify(notification))
        },
        clock,
        log,
      }),
      new Delivery({
        what: 'the command of `alerts:`',
        onGivenUp,
        send: async notification => {
          const command = config().alerts?.command
          if (command !== undefined) await alertChannels.run(config(), command, commandInput(notification))
        },
        clock,
        log,
      }),
    ]
  }

  /** Those of links that this process speaks for, of its sets and of itself. */
  get active(): ShownAlert[] {
    const silences = this.#options.config().alerts?.silences ?? []
    const now = this.#app.clock.now()
    return this.#states.active.map(alert => ({ ...alert, silence: silenceOf(silences, alert, now) }))
  }

  /** Rejects with what is a bug; never resolves. */
  get failed(): Promise<never> {
    return this.#failed.promise
  }

  start(): void {
    const { signal } = this.#stopping
    this.#delay.start()
    const parts = [
      this.#lookAgainAndAgain(signal),
      ...this.#deliveries.map(async each => await each.run(this.#ending.signal)),
      keepCalling(this.#app, {
        deadMan: () => this.#options.config().alerts?.deadMan,
        log: this.#options.log,
        signal,
      }),
    ]
    for (const each of parts) each.catch((error: unknown) => this.#failed.reject(error))
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#delay.stop()
    await this.#settle()
    this.#ending.abort()
  }

  async #lookAgainAndAgain(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (this.#options.config().alerts !== undefined) this.#look()
      await this.#app.clock.sleep(LOOK_EVERY_MS, signal)
    }
  }

  #look(): void {
    const { links, sets, vaults, clusters, checks, config, instance } = this.#options
    const now = this.#app.clock.now()
    const spoken = links.all().flatMap(running => spokenFor(running) ?? [])
    const memories = [...spoken.map(ofLink), ...sets.all().flatMap(ofSet)]
    this.#speakFor(memories, now)
    const here = new Set(links.all().map(({ link }) => link.name))
    this.#elsewhere.look(
      config(),
      links.wanted.filter(({ name }) => !here.has(name)),
    )
    // Of a link that another one speaks for, that one says whether it runs.
    const speaks = new Set(spoken.map(({ running }) => running.link.name))
    const samples = alertSamples({
      version: this.#app.version,
      delay: this.#delay.counts(),
      instance,
      config: config(),
      wanted: links.wanted.filter(({ name }) => speaks.has(name) || !here.has(name)),
      spoken,
      isRunning: name => speaks.has(name) || this.#elsewhere.has(name),
      sets: sets.all(),
      vaults: vaults.now(),
      clusters: clusters.seen(),
      check: checks.sight,
      now,
    })
    // Of a cluster that does not answer nothing else is known: what fires there is not over because of that.
    const dark = new Set(
      clusters.seen().flatMap(({ name, problem }) => (problem === undefined ? [] : [name])),
    )
    const seen = new Set(sets.all().flatMap(({ set, sight }) => (sight.isSeen ? [set.name] : [])))
    // So it is with a set whose vault has not answered yet, after a start or a change of its config.
    const isUnknown = ({ name, labels: { cluster = '', set } }: ActiveAlert): boolean =>
      set === undefined
        ? dark.has(cluster) && name !== 'KdrClusterUnreachable'
        : config().sets[set]?.every !== undefined && !seen.has(set)
    this.#tell(this.#states.look(samples, now, isUnknown), now)
    this.#unheard = this.#unheard.filter(each => this.#isOnItsWay(each, 'resolved'))
    // A target that does not answer holds up no look.
    for (const each of memories) this.#keep(each).catch((error: unknown) => this.#failed.reject(error))
  }

  /** Takes up what fires of those that this process has come to speak for; what others speak for by now is theirs. */
  #speakFor(memories: readonly Memory[], now: number): void {
    const speaks = new Set(memories.map(({ name }) => name))
    for (const { name, kept, isShared } of memories) {
      if (this.#spoken.has(name)) continue
      this.#spoken.set(name, kept)
      if (this.#setsKnown.has(name)) continue
      if (!isShared) this.#setsKnown.add(name)
      const known = kept.filter(isKnown)
      this.#states.takeUp(
        known.map(({ isTold: _isTold, ...alert }) => alert),
        now,
      )
      for (const each of known) if (each.isTold) this.#told.add(idOf(each))
    }
    const here = new Set(this.#options.links.all().map(({ link }) => linkMemory(link.name)))
    for (const name of this.#spoken.keys()) {
      if (speaks.has(name)) continue
      this.#spoken.delete(name)
      // What runs nowhere here is over, or `KdrLinkNotRunning` says it.
      if (here.has(name)) this.#states.letGo(({ labels }) => memoryOf(labels) === name)
    }
  }

  #tell({ resolved }: Step, now: number): void {
    const silences = this.#options.config().alerts?.silences ?? []
    const begun = this.#states.active
      .filter(isFiring)
      .filter(alert => !this.#told.has(idOf(alert)) && silenceOf(silences, alert, now) === undefined)
    const over = resolved.filter(alert => this.#told.has(idOf(alert)))
    for (const alert of begun) this.#told.add(idOf(alert))
    for (const alert of over) this.#told.delete(idOf(alert))
    this.#unheard = [...this.#unheard, ...over]
    this.#send(
      notificationsOf(
        [
          ...begun.map(alert => ({ alert, status: 'firing' as const })),
          ...over.map(alert => ({ alert, status: 'resolved' as const })),
        ],
        now,
      ),
    )
  }

  #send(notifications: readonly Notification[]): void {
    const { log } = this.#options
    for (const each of notifications) {
      for (const { status, labels, annotations } of each.alerts) {
        const { alertname = '', link, set } = labels
        const level = status === 'resolved' ? 'info' : 'warn'
        const about = { ...(link !== undefined && { link }), ...(set !== undefined && { set }) }
        const words = status === 'resolved' ? 'is over' : annotations.summary
        log.event(level, `alert ${alertname}: ${words}`, about)
      }
      for (const delivery of this.#deliveries) delivery.add(each)
    }
  }

  /** Nobody may have heard of it: what still fires is told once more. */
  #tellAnew({ alerts }: Notification): void {
    const given = new Set(alerts.flatMap(each => (each.status === 'firing' ? [each.fingerprint] : [])))
    for (const alert of this.#states.active.filter(isFiring))
      if (given.has(fingerprintOf(labelsOf(alert)))) this.#told.delete(idOf(alert))
  }

  /** A target or a vault that does not answer is no reason not to tell: it is kept at a later look. */
  async #keep({ name, keep }: Memory): Promise<void> {
    const isOfIt = ({ labels }: ActiveAlert): boolean => memoryOf(labels) === name
    const firing = this.#states.active.filter(isFiring).filter(isOfIt)
    // If this process dies now, the next one tells what nobody has heard.
    const alerts = [
      ...firing.map(each => ({
        ...each,
        isTold: this.#told.has(idOf(each)) && !this.#isOnItsWay(each, 'firing'),
      })),
      ...this.#unheard.filter(isOfIt).map(each => ({ ...each, isTold: true })),
    ].slice(0, MAX_KEPT_ALERTS)
    const before = this.#spoken.get(name) ?? []
    if (this.#keeping.has(name) || isSameValue(before.map(withoutValue), alerts.map(withoutValue))) return
    this.#keeping.add(name)
    try {
      await keep(alerts)
      if (this.#spoken.has(name)) this.#spoken.set(name, alerts)
    } catch (error) {
      if (findKdrError(error) === undefined) throw error
    } finally {
      this.#keeping.delete(name)
    }
  }

  #isOnItsWay(alert: FiringAlert, status: 'firing' | 'resolved'): boolean {
    const fingerprint = fingerprintOf(labelsOf(alert))
    return this.#deliveries.some(each => each.isWaiting(fingerprint, status))
  }

  /** What has just been said gets a moment to arrive. */
  async #settle(): Promise<void> {
    const { clock } = this.#app
    const until = clock.monotonic() + STOP_WAITS_MS
    while (this.#deliveries.some(({ isIdle }) => !isIdle) && clock.monotonic() < until) await clock.sleep(50)
  }
}

/** Where what fires of one link, or of one set, outlives this process. */
type Memory = {
  readonly name: string
  /** Others speak for it in turn, and know better by then. */
  readonly isShared: boolean
  readonly kept: readonly KeptAlert[]
  readonly keep: (alerts: readonly KeptAlert[]) => Promise<void>
}

const linkMemory = (link: string): string => `link ${link}`
const setMemory = (set: string): string => `set ${set}`

/** Undefined: it is of neither, and is kept nowhere. */
function memoryOf({ link, set }: Labels): string | undefined {
  if (link !== undefined) return linkMemory(link)
  return set === undefined ? undefined : setMemory(set)
}

const ofLink = ({ running }: SpokenLink): Memory => ({
  name: linkMemory(running.link.name),
  isShared: true,
  kept: running.alerts(),
  keep: async alerts => await running.keepAlerts(alerts),
})

/** None until its vault has answered. */
function ofSet(followed: FollowedSet): Memory[] {
  const { keptAlerts: kept, set } = followed
  if (kept === undefined) return []
  const keep = async (alerts: readonly KeptAlert[]): Promise<void> => await followed.keepAlerts(alerts)
  return [{ name: setMemory(set.name), isShared: false, kept, keep }]
}

/** Not one of a later kdr. */
const isKnown = (alert: KeptAlert): alert is KeptAlert & FiringAlert & { readonly name: AlertName } =>
  (ALERT_NAMES as readonly string[]).includes(alert.name)

/** It changes all the time, and is not worth a write. */
const withoutValue = ({ value: _value, ...rest }: KeptAlert): Omit<KeptAlert, 'value'> => rest
