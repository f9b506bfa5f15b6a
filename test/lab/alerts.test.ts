// The line to the source of a link is cut and healed again: each alert fires once and is over once, told by kdr itself (a webhook, a
// command) and by a real Prometheus with Alertmanager. Then kdr is killed, and the dead man is called no more.
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { rulesText } from '../../src/api/alerts/alerts.ts'
import { fingerprintOf, type Notification } from '../../src/api/alerts/notification.ts'
import { type Line, openLines } from '../../src/lab/lab.ts'
import { findPort } from '../../src/lab/ports.ts'
import { freshTopic, patience, waitFor, withLab } from '../support/lab.ts'
import { adminOf, type KdrProcess, type Link, makeLink } from '../support/link.ts'
import { suite } from '../support/suite.ts'

const skip = suite === 'short' && 'in make test-full'
const missing = ['prometheus', 'prometheus-alertmanager'].filter(
  program => spawnSync(program, ['--version']).status !== 0,
)
const noPrometheus =
  missing.length > 0 && `not installed: apt-get install --no-install-recommends ${missing.join(' ')}`

const context = withLab(skip === false ? [{ name: 'east', hasLines: true }, { name: 'west' }] : [])

/** Both are of a source that is silent; the RPO may not be more than 5 s. */
const EXPECTED = ['KdrRpoBreached', 'KdrSourceUnreachable']
/** Prometheus evaluates as often, and Alertmanager passes on within a second. */
const EVERY = '1s'

type Told = { readonly at: number; readonly notification: Notification }

describe('a line that is cut and healed', { skip, concurrency: false }, () => {
  const dir = mkdtempSync(join(tmpdir(), 'kdr-alerts-lab-'))
  const webhook: Told[] = []
  const alertmanager: Told[] = []
  const deadMan: number[] = []
  const programs: ChildProcess[] = []
  let receiver: Server
  let line: Line
  let link: Link
  let kdr: KdrProcess
  let listen: string

  before(async () => {
    receiver = createServer((request, response) => {
      let text = ''
      request.on('data', chunk => (text += String(chunk)))
      request.on('end', () => {
        const at = performance.now()
        if (request.url === '/dead-man?token=geheim') deadMan.push(at)
        else {
          const told = { at, notification: JSON.parse(text) as Notification }
          ;(request.url === '/kdr' ? webhook : alertmanager).push(told)
        }
        response.end()
      })
    }).listen(0, '127.0.0.1')
    await once(receiver, 'listening')
    const hook = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`
    const [opened] = await openLines(context.cluster('east'))
    assert.ok(opened !== undefined)
    line = opened
    const topic = freshTopic('alerts')
    const { judge } = context
    await judge.createTopic({ ...adminOf(context.cluster('east')), topic, partitions: 2 })
    await judge.produce({ ...adminOf(context.cluster('east')), topic, count: 50 })
    listen = `127.0.0.1:${await findPort()}`
    link = makeLink({
      source: {
        name: 'east',
        bootstrap: `localhost:${context.cluster('east').lines[0]?.advertisedPort ?? 0}`,
      },
      target: context.cluster('west'),
      settings: { topics: [topic] },
      server: { listen },
      config: {
        objectives: [{ for: '*', rpo: '5s' }],
        alerts: {
          webhook: { url: 'file:hook' },
          command: '{ cat; echo; } >> told.jsonl',
          deadMan: { url: 'file:dead-man', every: '1s' },
        },
      },
    })
    writeFileSync(join(dirname(link.config), 'hook'), `${hook}/kdr\n`)
    writeFileSync(join(dirname(link.config), 'dead-man'), `${hook}/dead-man?token=geheim\n`)
    kdr = link.start('run')
    await kdr.says(/behind/)
    if (noPrometheus === false) await startPrometheus(`${hook}/alertmanager`)
    // All is well for a while.
    await waitFor(() => deadMan.length > 2, { what: 'the dead man to be called' })
    await sleep(5_000)
    line.cut()
    const hasBegun = (told: readonly Told[]): boolean =>
      EXPECTED.every(name => namesOf(told, 'firing').includes(name))
    await waitFor(
      () => hasBegun(webhook) && hasBegun(commanded()) && (noPrometheus !== false || hasBegun(alertmanager)),
      {
        what: () => `alerts to fire; told: ${words(webhook)}; by Alertmanager: ${words(alertmanager)}`,
        timeoutMs: patience(120_000),
        everyMs: 200,
      },
    )
    line.heal()
    const isOver = (told: readonly Told[]): boolean =>
      EXPECTED.every(name => namesOf(told, 'resolved').includes(name))
    await waitFor(
      () => isOver(webhook) && isOver(commanded()) && (noPrometheus !== false || isOver(alertmanager)),
      {
        what: () => `alerts to be over; told: ${words(webhook)}; by Alertmanager: ${words(alertmanager)}`,
        timeoutMs: patience(90_000),
        everyMs: 200,
      },
    )
    // Whoever tells twice has the time for it.
    await sleep(15_000)
  })
  after(async () => {
    kdr?.signal('SIGKILL')
    for (const program of programs)
      if (program.exitCode === null) {
        program.kill()
        await once(program, 'exit')
      }
    await line?.close()
    receiver?.close()
    receiver?.closeAllConnections()
    rmSync(dir, { recursive: true, force: true })
  })

  async function startPrometheus(hook: string): Promise<void> {
    const web = { prometheus: `127.0.0.1:${await findPort()}`, alertmanager: `127.0.0.1:${await findPort()}` }
    writeFileSync(join(dir, 'alerts.yaml'), rulesText())
    writeFileSync(
      join(dir, 'prometheus.yaml'),
      JSON.stringify({
        global: { scrape_interval: EVERY, evaluation_interval: EVERY },
        rule_files: ['alerts.yaml'],
        alerting: { alertmanagers: [{ static_configs: [{ targets: [web.alertmanager] }] }] },
        scrape_configs: [{ job_name: 'kdr', static_configs: [{ targets: [listen] }] }],
      }),
    )
    writeFileSync(
      join(dir, 'alertmanager.yaml'),
      JSON.stringify({
        // Each alert by itself: another one of its group would tell of it again.
        route: {
          receiver: 'hook',
          group_by: ['...'],
          group_wait: '0s',
          group_interval: '1s',
          repeat_interval: '1h',
        },
        receivers: [{ name: 'hook', webhook_configs: [{ url: hook }] }],
      }),
    )
    const start = (program: string, ...args: string[]): void =>
      void programs.push(spawn(program, args, { stdio: 'ignore' }))
    start(
      'prometheus-alertmanager',
      `--config.file=${join(dir, 'alertmanager.yaml')}`,
      `--storage.path=${join(dir, 'alertmanager')}`,
      `--web.listen-address=${web.alertmanager}`,
      '--cluster.listen-address=',
    )
    start(
      'prometheus',
      `--config.file=${join(dir, 'prometheus.yaml')}`,
      `--storage.tsdb.path=${join(dir, 'data')}`,
      `--web.listen-address=${web.prometheus}`,
      // What fires before it has found its Alertmanager it would send again after a minute only.
      '--rules.alert.resend-delay=5s',
    )
    await waitFor(() => namesOf(alertmanager, 'firing').includes('KdrDeadMan'), {
      what: 'the alert that always fires, through Prometheus and Alertmanager',
    })
  }

  /** What the command has written. */
  function commanded(): Told[] {
    const path = join(dirname(link.config), 'told.jsonl')
    const lines = existsSync(path) ? readFileSync(path, 'utf8').split('\n') : []
    return lines
      .filter(each => each.endsWith('}'))
      .map(each => ({ at: 0, notification: JSON.parse(each) as Notification }))
  }

  test('is told by the webhook: each alert once, and once that it is over', () => assertOnce(webhook))

  test('is told by the command likewise', () => assertOnce(commanded()))

  test('is told by Prometheus and Alertmanager likewise, and in the same form', {
    skip: noPrometheus,
  }, () => {
    assertOnce(alertmanager)
    const [theirs] = alertmanager.map(({ notification }) => notification)
    const [ours] = webhook.map(({ notification }) => notification)
    const keys = (of: object | undefined): string[] =>
      Object.keys(of ?? {})
        .filter(key => key !== 'v')
        .toSorted()
    assert.deepEqual(keys(ours), keys(theirs))
    assert.deepEqual(keys(ours?.alerts[0]), keys(theirs?.alerts[0]))
    for (const { notification } of alertmanager)
      for (const { labels, fingerprint } of notification.alerts)
        assert.equal(fingerprintOf(labels), fingerprint)
  })

  test('says no address in its log, nor that anything went wrong in telling', () => {
    assert.doesNotMatch(kdr.stderr, /geheim|cannot be (told|called)/)
    assert.match(kdr.stderr, /alert KdrSourceUnreachable: the source of link link was seen .* ago/)
    assert.match(kdr.stderr, /alert KdrSourceUnreachable: is over/)
  })

  test('leaves nothing that fires', async () => {
    const { alerts } = (await (await fetch(`http://${listen}/api/alerts`)).json()) as {
      alerts: { state: string }[]
    }
    assert.deepEqual(
      alerts.filter(({ state }) => state === 'firing'),
      [],
    )
  })

  test('the dead man is called no more once kdr is killed', async () => {
    const gaps = deadMan.slice(1).map((at, index) => at - deadMan[index]!)
    assert.ok(Math.max(...gaps) < patience(5_000), `called after ${Math.max(...gaps)} ms`)
    kdr.signal('SIGKILL')
    await kdr.ended
    // What was on its way may still arrive.
    await sleep(500)
    const calls = deadMan.length
    await sleep(4_000)
    assert.equal(deadMan.length, calls)
  })
})

const alertsIn = (told: readonly Told[]) => told.flatMap(({ notification }) => notification.alerts)

const namesOf = (told: readonly Told[], status: string): string[] =>
  alertsIn(told)
    .filter(alert => alert.status === status)
    .map(({ labels }) => labels['alertname'] ?? '')

const words = (told: readonly Told[]): string =>
  alertsIn(told)
    .map(({ status, labels }) => [labels['alertname'], status].join(' '))
    .join(', ')

/** But for the one that always fires. */
function assertOnce(told: readonly Told[]): void {
  const alerts = alertsIn(told).filter(({ labels }) => labels['alertname'] !== 'KdrDeadMan')
  const byName = Map.groupBy(alerts, ({ labels }) => labels['alertname'] ?? '')
  for (const name of EXPECTED) assert.ok(byName.has(name), `${name} was not told; ${words(told)}`)
  for (const [name, all] of byName) {
    assert.deepEqual(
      all.map(({ status }) => status),
      ['firing', 'resolved'],
      name,
    )
    assert.equal(new Set(all.map(({ fingerprint }) => fingerprint)).size, 1, name)
  }
}
