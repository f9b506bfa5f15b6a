// A Kafka Streams application, exactly once, is killed in the middle of its work, and so is its cluster. On the restored one it has only its
// changelogs, repartition topic and group offsets, its input topics are empty: its counts are those of the inputs that it had processed.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { b64 } from '../support/judge.ts'
import { waitFor, withLab } from '../support/lab.ts'
import { runKdrHere } from '../support/link.ts'
import { StreamsApp } from '../support/streams.ts'
import { suite } from '../support/suite.ts'

const APP = 'counter'
const WORDS = ['ant', 'bee', 'cat', 'dog', 'eel']
const INPUTS = ['words', 'names']
const isLong = suite !== 'short'

describe('a Streams application', { skip: !isLong && 'in make test-full' }, () => {
  const context = withLab(isLong ? [{ name: 'east' }, { name: 'west' }] : [])
  const dir = mkdtempSync(join(tmpdir(), 'kdr-streams-'))
  after(() => rmSync(dir, { recursive: true, force: true }))
  const config = join(dir, 'kdr.yaml')
  const json = async (...args: string[]): Promise<Record<string, unknown>> => {
    const { code, stdout, stderr } = await runKdrHere([...args, '--json', '--config', config])
    assert.equal(code, 0, `kdr ${args.join(' ')}: ${stderr}${stdout}`)
    return JSON.parse(stdout) as Record<string, unknown>
  }
  const at = (name: string) => ({ bootstrap: context.cluster(name).bootstrap })
  const textOf = (value: string | null): string => Buffer.from(value ?? '', 'base64').toString()

  test('goes on where it was on the restored cluster, without its inputs', async () => {
    const { judge } = context
    writeFileSync(
      config,
      JSON.stringify({
        clusters: { east: at('east'), west: at('west') },
        vaults: { main: { url: pathToFileURL(join(dir, 'vault')).href } },
        sets: { all: { cluster: 'east', vault: 'main', topics: ['*'] } },
      }),
    )
    await json('vault', 'init', 'main')
    for (const topic of [...INPUTS, 'joined'])
      await judge.createTopic({ ...at('east'), topic, partitions: topic === 'joined' ? 1 : 2 })
    const names = WORDS.map((_word, i) => ({ key: b64(`k${i}`), value: b64(`name ${i}`), partition: i % 2 }))
    await judge.produce({ ...at('east'), topic: 'names', records: names })
    const app = await StreamsApp.start(at('east').bootstrap, APP, join(dir, 'east-state'))
    const clients: StreamsApp[] = [app]
    try {
      let isOver = false
      const write = async (): Promise<void> => {
        while (!isOver)
          await judge.produce({
            ...at('east'),
            topic: 'words',
            records: Array.from({ length: 40 }, (_none, n) => ({
              partition: (n % WORDS.length) % 2,
              key: b64(`k${n % WORDS.length}`),
              value: b64(WORDS[Math.floor(Math.random() * WORDS.length)]!),
            })),
          })
      }
      const writing = write()
      await waitFor(
        async () => Object.values(await app.totals()).reduce((sum, count) => sum + count, 0) > 2_000,
        {
          what: 'counts',
        },
      )
      // While it goes on; one of which the commit says that the group has committed meanwhile is not the one to take.
      await waitFor(
        async () => {
          await json('backup', 'run', 'all')
          const { remarks, wentBack } = await json(
            'restore',
            'all',
            '--to',
            'west',
            '--consistent',
            '--dry-run',
          )
          return (
            !(remarks as string[]).some(each => each.includes(`"${APP}"`)) &&
            (wentBack as unknown[]).length > 0
          )
        },
        { what: 'a commit in the middle of a transaction' },
      )
      await app.kill()
      isOver = true
      await writing
      await context.cluster('east').kill()

      const { verified } = await json('restore', 'all', '--to', 'west', '--consistent', '--yes')

      assert.equal(verified, true)
      const committed = await judge.groupOffsets({ ...at('west'), group: APP })
      const expected: Record<string, number> = {}
      for (const { partition, offset, value } of await judge.list({ ...at('west'), topic: 'words' })) {
        const upTo =
          committed.find(each => each.topic === 'words' && each.partition === partition)?.offset ?? 0
        const word = textOf(value)
        if (offset < upTo) expected[word] = (expected[word] ?? 0) + 1
      }
      const sum = (totals: Record<string, number>): number =>
        Object.values(totals).reduce((all, each) => all + each, 0)
      assert.ok(sum(expected) > 2_000)
      const joinedBefore = (await judge.list({ ...at('west'), topic: 'joined', isolation: 'committed' }))
        .length
      assert.equal(joinedBefore, sum(expected))
      await judge.deleteTopics({ ...at('west'), topics: INPUTS })
      await waitFor(async () => !(await judge.listTopics(at('west'))).some(name => INPUTS.includes(name)), {
        what: 'the inputs to be gone',
      })
      for (const topic of INPUTS) await judge.createTopic({ ...at('west'), topic, partitions: 2 })
      const again = await StreamsApp.start(at('west').bootstrap, APP, join(dir, 'west-state'))
      clients.push(again)
      // What stood in the repartition topic is counted first.
      await waitFor(async () => sum(await again.totals()) >= sum(expected), { what: 'all to be counted' })
      assert.deepEqual(await again.totals(), expected)
      const record = { key: b64('k3'), value: b64('dog'), partition: 3 % 2 }
      await judge.produce({ ...at('west'), topic: 'words', records: [record] })
      await waitFor(async () => (await again.totals())['dog'] === (expected['dog'] ?? 0) + 1, {
        what: 'one more',
      })
      const joined = await judge.list({ ...at('west'), topic: 'joined', isolation: 'committed' })
      assert.deepEqual(
        joined.slice(joinedBefore).map(({ value }) => textOf(value)),
        ['name 3 says dog'],
      )
    } finally {
      for (const each of clients) await each.kill()
    }
  })
})
