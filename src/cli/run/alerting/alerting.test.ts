// Alerts of `kdr run` in virtual time: who is told what, how often, and what becomes of it when something is in the way.
// long: because one world of fakes serves them all.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { SimClock } from '../../../../test/sim/clock.ts'
import { makeTestApp } from '../../../../test/support/app.ts'
import { followedSet, NOW, partition, runningLink, whole } from '../../../../test/support/metrics-world.ts'
import type { Notification } from '../../../api/alerts/notification.ts'
import type { AlertsConfig, Config } from '../../../config/config.ts'
import { SecretRef } from '../../../config/secrets.ts'
import type { WatchedCluster } from '../../../engine/monitor/sight.ts'
import type { KeptAlert } from '../../../model/alerts.ts'
import { KdrError } from '../../../model/errors.ts'
import type { RunningLink } from '../../app.ts'
import type { FollowedSet } from '../../app-vault.ts'
import type { AlertChannels } from '../../app-watch.ts'
import type { RunLinks } from '../links.ts'
import type { RunSets } from '../sets.ts'
import type { VaultLooks } from '../vault-looks.ts'
import { Alerting } from './alerting.ts'
import { shownAlert } from './shown.ts'

const HOOK = SecretRef.parse('env:HOOK', '/')
const SECOND = 1_000
const MINUTE = 60_000

const QUIET: AlertsConfig = { webhook: undefined, command: undefined, deadMan: undefined, silences: [] }

/** Of a link whose source answers, or has been silent since. */
class World {
  readonly clock = new SimClock(NOW)
  told: string[] = []
  readonly log: string[] = []
  readonly commands: string[] = []
  readonly pings: number[] = []
  kept: readonly KeptAlert[] = []
  alerts: AlertsConfig | undefined = { webhook: HOOK, command: undefined, deadMan: undefined, silences: [] }
  silentSince: number | undefined
  controllers = 1
  isOwner = true
  isRunning = true
  isElsewhere = false
  isWebhookDown = false
  isTargetDown = false
  isTargetMute = false
  keeps = 0
  clusters: readonly WatchedCluster[] = []
  /** A set; undefined: there is none. */
  set: { newestAt: number; isVaultSeen: boolean; kept: readonly KeptAlert[] } | undefined
  #requests = 0

  start(): Alerting {
    const { clock } = this
    const running: RunningLink = {
      ...runningLink('east-west', [partition('t', 0)]),
      facts: () => ({
        slots: 64,
        slotsHeld: 64,
        traffic: [],
        whole: this.isOwner ? this.#whole() : undefined,
      }),
      view: () => ({ partitions: [partition('t', 0)], controllers: this.controllers }),
      alerts: () => this.kept,
      keepAlerts: alerts => {
        if (this.isTargetDown) return Promise.reject(new KdrError('unreachable', 'no broker answers'))
        this.keeps++
        if (this.isTargetMute) return new Promise(() => undefined)
        this.kept = alerts
        return Promise.resolve()
      },
    }
    const { services } = makeTestApp()
    const alertChannels: AlertChannels = {
      request: (_url, json) => {
        this.#requests++
        if (this.isWebhookDown) return Promise.reject(new KdrError('unreachable', 'it answers with 500'))
        if (json === undefined) this.pings.push(clock.monotonic() / SECOND)
        else this.#take(JSON.parse(json) as Notification)
        return Promise.resolve()
      },
      run: (_config, command, { env, stdin }) => {
        const { groupKey } = JSON.parse(stdin) as Notification
        this.commands.push(
          [command, env['KDR_ALERT'], env['KDR_STATUS'], env['KDR_LINK'], groupKey].join(' '),
        )
        return Promise.resolve()
      },
    }
    const app = makeTestApp({
      clock,
      services: {
        ...services,
        alertChannels,
        withMemory: async (_config, _link, act) =>
          await act({ isRunning: this.isElsewhere } as Parameters<typeof act>[0]),
      },
    })
    const alerting = new Alerting(app, {
      links: {
        all: () => (this.isRunning ? [running] : []),
        wanted: [running.link],
      } as unknown as RunLinks,
      sets: { all: () => this.#sets() } as unknown as RunSets,
      vaults: { now: () => new Map() } as unknown as VaultLooks,
      clusters: { seen: () => [...this.clusters] },
      checks: { sight: undefined },
      config: () =>
        ({
          alerts: this.alerts,
          plans: {},
          sets: this.set === undefined ? {} : { all: followedSet('all').set },
          objectives: [{ for: '*', rpoMs: 3_600_000 }],
        }) as unknown as Config,
      instance: 'here',
      log: { event: (_level, message) => void this.log.push(message) },
    })
    alerting.start()
    return alerting
  }

  async pass(ms: number): Promise<void> {
    let isOver = false
    void this.clock.sleep(ms).then(() => void (isOver = true))
    await this.clock.run(() => isOver, Infinity)
  }

  get requests(): number {
    return this.#requests
  }

  #sets(): FollowedSet[] {
    const { set } = this
    if (set === undefined) return []
    const followed = followedSet('all')
    return [
      {
        ...followed,
        sight: {
          ...followed.sight,
          isSeen: set.isVaultSeen,
          newest: set.isVaultSeen ? { number: 7, at: set.newestAt } : undefined,
        },
        keptAlerts: set.isVaultSeen ? set.kept : undefined,
        keepAlerts: async alerts => {
          set.kept = alerts
          await Promise.resolve()
        },
      },
    ]
  }

  #whole() {
    const now = this.clock.now()
    return whole({
      sourceSeenAt: this.silentSince ?? now,
      groupsAt: now,
      groups: [],
      lagMs: 0,
      lagRecords: 0,
    })
  }

  #take({ alerts }: Notification): void {
    for (const { status, labels } of alerts)
      this.told.push([this.clock.monotonic() / SECOND, labels['alertname'], status].join(' '))
  }
}

/** A source that is silent from the first minute on. */
async function cutWorld(change: Partial<World> = {}): Promise<{ world: World; alerting: Alerting }> {
  const world = Object.assign(new World(), change)
  const alerting = world.start()
  await world.pass(MINUTE)
  world.silentSince = world.clock.now()
  return { world, alerting }
}

/** Without when. */
const toldBy = ({ told }: World): string[] => told.map(line => line.replace(/^\d+ /, ''))
async function restarted(world: World, alerting: Alerting): Promise<void> {
  const ended = alerting.stop()
  await world.pass(5 * SECOND)
  await ended
}
const heal = (world: World): void => void (world.silentSince = undefined)

describe('alerts of kdr run', () => {
  test('each fires once and is over once, however long it lasts', async () => {
    const { world } = await cutWorld()
    await world.pass(30 * MINUTE)
    heal(world)
    await world.pass(30 * MINUTE)
    assert.deepEqual(world.told, ['130 KdrSourceUnreachable firing', '1860 KdrSourceUnreachable resolved'])
  })

  test('are told to the command too, with the facts in its environment and on stdin', async () => {
    const { world } = await cutWorld({
      alerts: { webhook: undefined, command: './tell', deadMan: undefined, silences: [] },
    })
    await world.pass(5 * MINUTE)
    assert.deepEqual(world.told, [])
    assert.deepEqual(world.commands, [
      './tell KdrSourceUnreachable firing east-west kdr:{alertname="KdrSourceUnreachable", link="east-west"}',
    ])
  })

  test('are told later when the webhook does not answer, and the log says so once', async () => {
    const { world } = await cutWorld({ isWebhookDown: true })
    await world.pass(10 * MINUTE)
    assert.deepEqual(world.told, [])
    assert.ok(world.requests > 5 && world.requests < 20, `${world.requests} attempts`)
    world.isWebhookDown = false
    await world.pass(2 * MINUTE)
    assert.deepEqual(toldBy(world), ['KdrSourceUnreachable firing'])
    assert.deepEqual(
      world.log.filter(line => line.startsWith('the webhook')),
      [
        'the webhook cannot be told of alerts: it answers with 500; trying again',
        'the webhook is told of alerts again',
      ],
    )
  })

  test('of a cluster that stops answering are not over because of that', async () => {
    const partitions = { topics: 1, partitions: 1, offline: 1 }
    const seen = {
      name: 'east',
      seenAt: NOW,
      groupsAt: NOW,
      groups: [],
      brokers: [],
      notSeen: [],
      partitions,
    }
    const world = new World()
    world.clusters = [seen as unknown as WatchedCluster]
    world.start()
    await world.pass(2 * MINUTE)
    world.clusters = [{ ...seen, problem: 'no broker answers' } as unknown as WatchedCluster]
    await world.pass(2 * MINUTE)
    assert.deepEqual(toldBy(world), ['KdrPartitionsOffline firing', 'KdrClusterUnreachable firing'])
    world.clusters = [{ ...seen, partitions: { ...partitions, offline: 0 } } as unknown as WatchedCluster]
    await world.pass(MINUTE)
    assert.deepEqual(toldBy(world).slice(2).toSorted(), [
      'KdrClusterUnreachable resolved',
      'KdrPartitionsOffline resolved',
    ])
  })

  test('are told also after a webhook that did not answer for hours', async () => {
    const { world } = await cutWorld({ isWebhookDown: true })
    await world.pass(150 * MINUTE)
    world.isWebhookDown = false
    await world.pass(5 * MINUTE)
    heal(world)
    await world.pass(5 * MINUTE)
    assert.deepEqual(
      toldBy(world).filter(line => line.startsWith('KdrSourceUnreachable')),
      ['KdrSourceUnreachable firing', 'KdrSourceUnreachable resolved'],
    )
  })

  test('that are silenced are shown with the reason, and told when the time is over and they still hold', async () => {
    const until = NOW + 10 * MINUTE
    const { world, alerting } = await cutWorld({
      alerts: {
        webhook: HOOK,
        command: undefined,
        deadMan: undefined,
        silences: [{ alert: 'KdrSourceUnreachable', where: 'link:east-*', until, why: 'moving house' }],
      },
    })
    await world.pass(5 * MINUTE)
    assert.partialDeepStrictEqual(alerting.active.map(shownAlert), [
      {
        alert: 'KdrSourceUnreachable',
        state: 'firing',
        severity: 'page',
        labels: { link: 'east-west' },
        silenced: { until: new Date(until).toISOString(), why: 'moving house' },
      },
    ])
    assert.deepEqual(world.told, [])
    assert.equal(world.kept[0]?.isTold, false)
    await world.pass(10 * MINUTE)
    assert.deepEqual(world.told, ['600 KdrSourceUnreachable firing'])
    assert.equal(world.kept[0]?.isTold, true)
  })

  test('silenced at another link are told; silenced while they hold, their end is told', async () => {
    const silence = { alert: '*', where: 'link:north-*', until: undefined, why: 'x' }
    const { world } = await cutWorld({
      alerts: { webhook: HOOK, command: undefined, deadMan: undefined, silences: [silence] },
    })
    await world.pass(5 * MINUTE)
    assert.deepEqual(world.told, ['130 KdrSourceUnreachable firing'])
    world.alerts = { ...QUIET, webhook: HOOK, silences: [{ ...silence, where: undefined }] }
    heal(world)
    await world.pass(MINUTE)
    assert.deepEqual(world.told.slice(1), ['360 KdrSourceUnreachable resolved'])
  })

  test('that never were told are over without a word', async () => {
    const { world } = await cutWorld({
      alerts: {
        webhook: HOOK,
        command: undefined,
        deadMan: undefined,
        silences: [{ alert: '*', where: undefined, until: undefined, why: 'x' }],
      },
    })
    await world.pass(5 * MINUTE)
    heal(world)
    await world.pass(5 * MINUTE)
    assert.deepEqual(world.told, [])
    assert.deepEqual(world.kept, [])
  })

  test('go on after a restart: told neither twice nor never to be over', async () => {
    const { world, alerting } = await cutWorld()
    await world.pass(5 * MINUTE)
    await restarted(world, alerting)
    world.start()
    await world.pass(5 * MINUTE)
    assert.deepEqual(world.told, ['130 KdrSourceUnreachable firing'])
    heal(world)
    await world.pass(MINUTE)
    assert.deepEqual(world.told.length, 2)
    assert.match(world.told[1] ?? '', /KdrSourceUnreachable resolved/)
  })

  test('of a set go on after a restart too, once its vault has answered', async () => {
    const world = new World()
    const set = { newestAt: NOW - 3_600_000, isVaultSeen: true, kept: [] as readonly KeptAlert[] }
    world.set = set
    const alerting = world.start()
    await world.pass(10 * MINUTE)
    assert.deepEqual(toldBy(world), ['KdrBackupStale firing'])
    assert.deepEqual(
      [set.kept.map(({ name, isTold }) => [name, isTold]), world.kept],
      [[['KdrBackupStale', true]], []],
    )
    await restarted(world, alerting)
    set.isVaultSeen = false
    const second = world.start()
    await world.pass(MINUTE)
    assert.deepEqual(
      second.active.filter(({ firesSince }) => firesSince !== undefined),
      [],
    )
    set.isVaultSeen = true
    await world.pass(10 * MINUTE)
    assert.deepEqual(toldBy(world), ['KdrBackupStale firing'])
    await restarted(world, second)
    // It is over while no kdr runs.
    set.newestAt = world.clock.now()
    world.start()
    await world.pass(5 * MINUTE)
    assert.deepEqual(toldBy(world), ['KdrBackupStale firing', 'KdrBackupStale resolved'])
    assert.deepEqual(set.kept, [])
  })

  test('of a set are not over because its config was changed, and are when it leaves it; when it comes back all begins anew', async () => {
    const world = new World()
    const set = { newestAt: NOW - 3_600_000, isVaultSeen: true, kept: [] as readonly KeptAlert[] }
    world.set = set
    world.start()
    await world.pass(10 * MINUTE)
    // It is followed anew, and its vault takes its time.
    set.isVaultSeen = false
    await world.pass(10 * MINUTE)
    set.isVaultSeen = true
    await world.pass(10 * MINUTE)
    assert.deepEqual(toldBy(world), ['KdrBackupStale firing'])
    world.set = undefined
    await world.pass(MINUTE)
    assert.deepEqual(toldBy(world).slice(1), ['KdrBackupStale resolved'])
    assert.equal(set.kept[0]?.isTold, true, 'nobody could keep it')
    world.set = set
    await world.pass(MINUTE)
    assert.deepEqual(set.kept, [])
    await world.pass(10 * MINUTE)
    assert.deepEqual(toldBy(world).slice(2), ['KdrBackupStale firing'])
  })

  test('are no matter of a worker that does not have slot 0, until it has: then it goes on with what was told', async () => {
    const { world, alerting } = await cutWorld({ isOwner: false })
    world.kept = [
      {
        name: 'KdrSourceUnreachable',
        labels: { link: 'east-west', source: 'east', target: 'west' },
        value: 60,
        since: NOW,
        firesSince: NOW,
        isTold: true,
      },
      {
        name: 'OfALaterKdr',
        labels: { link: 'east-west' },
        value: 1,
        since: NOW,
        firesSince: NOW,
        isTold: true,
      },
    ]
    await world.pass(5 * MINUTE)
    assert.deepEqual(alerting.active, [])
    world.isOwner = true
    await world.pass(5 * MINUTE)
    assert.deepEqual(world.told, [])
    world.isOwner = false
    await world.pass(MINUTE)
    assert.deepEqual(alerting.active, [])
    heal(world)
    world.isOwner = true
    await world.pass(5 * MINUTE)
    assert.deepEqual(toldBy(world), ['KdrSourceUnreachable resolved'])
  })

  test('tell that nobody has slot 0, whoever can; and that two have', async () => {
    const world = Object.assign(new World(), { isOwner: false, controllers: 0 })
    world.start()
    await world.pass(5 * MINUTE)
    world.isOwner = true
    world.controllers = 2
    await world.pass(5 * MINUTE)
    assert.deepEqual(world.told, [
      '120 KdrLinkWithoutControl firing',
      '300 KdrLinkWithoutControl resolved',
      '420 KdrTwoControllers firing',
    ])
  })

  test('tell of a link that runs nowhere, but not of one that runs at another process', async () => {
    const world = Object.assign(new World(), { isRunning: false, isElsewhere: true })
    world.start()
    await world.pass(10 * MINUTE)
    assert.deepEqual(world.told, [])
    world.isElsewhere = false
    await world.pass(10 * MINUTE)
    assert.deepEqual(toldBy(world), ['KdrLinkNotRunning firing'])
  })

  test('are told when the target keeps nothing, and kept once it does', async () => {
    const { world } = await cutWorld({ isTargetDown: true })
    await world.pass(5 * MINUTE)
    assert.deepEqual(world.told, ['130 KdrSourceUnreachable firing'])
    assert.deepEqual(world.kept, [])
    world.isTargetDown = false
    await world.pass(MINUTE)
    assert.equal(world.kept.length, 1)
  })

  test('that are on their way when kdr ends arrive, if that takes no longer than a moment', async () => {
    const { world, alerting } = await cutWorld({ isWebhookDown: true })
    await world.pass(71 * SECOND)
    world.isWebhookDown = false
    const ended = alerting.stop()
    await world.pass(5 * SECOND)
    await ended
    assert.deepEqual(toldBy(world), ['KdrSourceUnreachable firing'])
  })

  test('that nobody has heard of when kdr ends are told by the next one: that they are, and that they are over', async () => {
    const { world, alerting } = await cutWorld({ isWebhookDown: true })
    await world.pass(5 * MINUTE)
    assert.equal(world.kept[0]?.isTold, false)
    await restarted(world, alerting)
    world.isWebhookDown = false
    const second = world.start()
    await world.pass(MINUTE)
    assert.deepEqual(toldBy(world), ['KdrSourceUnreachable firing'])
    world.isWebhookDown = true
    heal(world)
    await world.pass(MINUTE)
    await restarted(world, second)
    world.isWebhookDown = false
    world.start()
    await world.pass(5 * MINUTE)
    assert.deepEqual(toldBy(world), ['KdrSourceUnreachable firing', 'KdrSourceUnreachable resolved'])
    assert.deepEqual(world.kept, [])
  })

  test('are looked at on and on while the target does not answer at all', async () => {
    const { world } = await cutWorld({ isTargetMute: true })
    await world.pass(3 * MINUTE)
    heal(world)
    await world.pass(MINUTE)
    assert.deepEqual([world.told.length, world.keeps], [2, 1])
  })

  test('are looked for only where the config says so', async () => {
    const { world, alerting } = await cutWorld({ alerts: undefined })
    await world.pass(5 * MINUTE)
    assert.deepEqual([world.told, alerting.active], [[], []])
  })

  test('go along with calls of the dead man, and end with them', async () => {
    const world = new World()
    world.alerts = { ...QUIET, deadMan: { url: HOOK, everyMs: MINUTE } }
    const alerting = world.start()
    await world.pass(3 * MINUTE + SECOND)
    assert.deepEqual(world.pings, [0, 60, 120, 180])
    await restarted(world, alerting)
    await world.pass(10 * MINUTE)
    assert.equal(world.pings.length, 4)
  })
})
