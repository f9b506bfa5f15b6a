// A real Prometheus scrapes what `kdr run` serves, with its token, and evaluates the rules that come with it.
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { rulesText } from '../../src/api/alerts/alerts.ts'
import { serve, type Serving } from '../../src/api/server.ts'
import { MetricsGatherer } from '../../src/cli/run/metrics/gather.ts'
import { findPort } from '../../src/lab/ports.ts'
import { systemClock } from '../../src/wiring/system.ts'
import { waitFor } from '../support/lab.ts'
import { fullWorld } from '../support/metrics-world.ts'
import { suite } from '../support/suite.ts'

const isThere = spawnSync('prometheus', ['--version']).status === 0
const skip =
  suite === 'short'
    ? 'in make test-full'
    : !isThere && 'prometheus is not installed: apt-get install --no-install-recommends prometheus'

describe('a real Prometheus', { skip }, () => {
  const dir = mkdtempSync(join(tmpdir(), 'kdr-prometheus-'))
  let serving: Serving
  let prometheus: ChildProcess
  let url: string

  before(async () => {
    const listen = `127.0.0.1:${await findPort()}`
    const gatherer = new MetricsGatherer()
    serving = serve({
      listen,
      token: { kind: 'literal', read: () => Promise.resolve('geheim') },
      served: {
        api: new Map(),
        metrics: () => Promise.resolve(gatherer.text({ ...fullWorld(), now: Date.now() })),
        notReady: () => undefined,
      },
      clock: systemClock,
      log: { event: () => undefined },
    })
    writeFileSync(join(dir, 'token'), 'geheim')
    writeFileSync(join(dir, 'alerts.yaml'), rulesText())
    writeFileSync(
      join(dir, 'prometheus.yaml'),
      JSON.stringify({
        global: { scrape_interval: '1s', evaluation_interval: '1s' },
        rule_files: ['alerts.yaml'],
        scrape_configs: [
          {
            job_name: 'kdr',
            authorization: { credentials_file: 'token' },
            static_configs: [{ targets: [listen] }],
          },
        ],
      }),
    )
    const web = `127.0.0.1:${await findPort()}`
    url = `http://${web}/api/v1`
    prometheus = spawn(
      'prometheus',
      [
        `--config.file=${join(dir, 'prometheus.yaml')}`,
        `--storage.tsdb.path=${join(dir, 'data')}`,
        `--web.listen-address=${web}`,
      ],
      { stdio: 'ignore' },
    )
  })
  after(async () => {
    prometheus.kill()
    await once(prometheus, 'exit')
    await serving.close()
    rmSync(dir, { recursive: true, force: true })
  })

  const get = async <T>(path: string): Promise<T | undefined> => {
    const response = await fetch(`${url}${path}`).catch(() => undefined)
    return response?.ok === true ? ((await response.json()) as { data: T }).data : undefined
  }

  test('scrapes it, and takes every metric', async () => {
    type Result = { readonly result: readonly { readonly value: readonly [number, string] }[] }
    const query = encodeURIComponent('kdr_partitions{state="faulted"}')
    const found = await waitFor(
      async () => {
        const answer = await get<Result>(`/query?query=${query}`)
        return answer !== undefined && answer.result.length > 0 && answer
      },
      { what: 'the first scrape', timeoutMs: 60_000 },
    )
    assert.equal(found.result[0]?.value[1], '1')
    type Targets = {
      readonly activeTargets: readonly { readonly health: string; readonly lastError: string }[]
    }
    const targets = await get<Targets>('/targets')
    assert.partialDeepStrictEqual(targets?.activeTargets, [{ health: 'up', lastError: '' }])
  })

  test('fires what always fires, and has what is wrong pending', async () => {
    type Alerts = {
      readonly alerts: readonly { readonly state: string; readonly labels: { readonly alertname: string } }[]
    }
    const states = await waitFor(
      async () => {
        const alerts = (await get<Alerts>('/alerts'))?.alerts ?? []
        const found = new Map(alerts.map(({ state, labels }) => [labels.alertname, state]))
        return found.has('KdrDiverged') && found
      },
      { what: 'the alert of a partition that somebody has written to', timeoutMs: 60_000 },
    )
    assert.equal(states.get('KdrDeadMan'), 'firing')
    assert.equal(states.get('KdrDiverged'), 'pending')
    assert.equal(states.get('KdrDown'), undefined)
  })
})
