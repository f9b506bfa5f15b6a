// Workers of two builds share a link while one after the other is replaced, under load: what is copied stays identical. The other
// build is a copy of this one that calls itself by another version: it shares no file with it but the libraries.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { SLOTS } from '../../src/model/slots.ts'
import { freshTopic, patience, waitFor, withLab } from '../support/lab.ts'
import { adminOf, type KdrProcess, type Link, makeLink, startKdr, untilIdentical } from '../support/link.ts'
import { suite } from '../support/suite.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const OTHER_VERSION = '0.9.9'
const PARTITIONS = 60
const RATE = 500
const WORKERS = 2
/** Both builds copy side by side for so long after each step. */
const SETTLED_MS = 3_000

const skip = suite === 'short' && 'in make test-full'
const context = withLab(skip === false ? [{ name: 'east' }, { name: 'west' }] : [])

/** A launcher beside a tree of its own. */
function otherBuild(): string {
  const folder = mkdtempSync(join(tmpdir(), 'kdr-build-'))
  after(() => rmSync(folder, { recursive: true }))
  for (const name of ['kdr', 'src']) cpSync(join(root, name), join(folder, name), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as object
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ ...manifest, version: OTHER_VERSION }))
  return join(folder, 'kdr')
}

/** Until so many hold all slots between them. */
async function shared(link: Link, count: number): Promise<void> {
  let workers: readonly { readonly slots: readonly number[] }[] = []
  await waitFor(
    async () => {
      const { object } = await link.json('status')
      workers = (object as { links: { workers: typeof workers }[] }).links[0]?.workers ?? []
      return workers.length === count && workers.flatMap(({ slots }) => slots).length === SLOTS
    },
    { timeoutMs: patience(60_000), everyMs: 500, what: () => `${count} workers: ${JSON.stringify(workers)}` },
  )
}

describe('a rolling restart', { skip }, () => {
  test('from one build to the next, and back, under load: identical', async t => {
    const { judge } = context
    const sides = { source: context.cluster('east'), target: context.cluster('west') }
    const topic = freshTopic('rolling')
    const at = adminOf(sides.source)
    await judge.createTopic({ ...at, topic, partitions: PARTITIONS })
    const link = makeLink({ ...sides, settings: { topics: ['rolling-*'] } })
    const builds = { this: join(root, 'kdr'), other: otherBuild() }
    const { stdout } = spawnSync(builds.other, ['--version'], { encoding: 'utf8' })
    assert.equal(stdout, `${OTHER_VERSION}\n`)
    const running: KdrProcess[] = []
    after(() => running.forEach(each => each.signal('SIGKILL')))
    const start = async (build: keyof typeof builds): Promise<KdrProcess> => {
      const worker = startKdr(['run', '-v', '--config', link.config], {}, builds[build])
      running.push(worker)
      await worker.says(/behind/)
      return worker
    }
    let workers = [await start('this'), await start('this')]
    await shared(link, WORKERS)
    const { workload } = await judge.startWorkload({ ...at, topic, rate: RATE, lingerMs: 5 })

    for (const build of ['other', 'this'] as const)
      for (let index = 0; index < WORKERS; index++) {
        const [oldest, ...others] = workers
        oldest!.signal('SIGTERM')
        const end = await oldest!.ended
        assert.equal(end.code, 0, end.stderr)
        workers = [...others, await start(build)]
        await shared(link, WORKERS)
        await sleep(SETTLED_MS)
      }

    const { acknowledged } = await judge.stopWorkload({ workload })
    await untilIdentical(judge, sides, topic)
    const audit = await judge.auditTopic({ workload, ...adminOf(sides.target) })
    assert.deepEqual([audit.acknowledged, audit.missing, audit.moved], [acknowledged, 0, 0])
    assert.ok(acknowledged > RATE * ((2 * WORKERS * SETTLED_MS) / 1_000), `${acknowledged} records`)
    const { object } = await link.json('status')
    const [status] = (object as { links: { state: string; sentence: string }[] }).links
    assert.equal(status?.state, 'mirroring', status?.sentence)
    t.diagnostic(`${acknowledged} records over ${2 * WORKERS} replacements`)
  })
})
