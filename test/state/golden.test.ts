// The golden state: what an earlier kdr has left in `_kdr.state` and `_kdr.journal` stays readable, and what a newer one leaves there
// is refused.
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { recordCodec } from '../../src/kafka/records.ts'
import { KdrError } from '../../src/model/errors.ts'
import type { StateRecord, StateStore } from '../../src/ports/state.ts'
import { JOURNAL_TOPIC, openTopicStore, STATE_TOPIC } from '../../src/state/topic-store.ts'
import { SimProcess } from '../sim/network.ts'
import { simPort } from '../sim/port.ts'
import { World } from '../sim/world.ts'
import { readingsOf } from './readings.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const V1 = new URL('golden/v1/', import.meta.url)
const TROUBLE = { lost: 0, answerLost: 0, slow: 0, late: 0, lateWrites: 0, hung: 0, brokers: 1 }

type Line = { readonly key: string; readonly value: string }

const linesOf = (topic: string): Line[] =>
  readFileSync(new URL(`${topic}.jsonl`, V1), 'utf8')
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as Line)

/** A store over a topic that has these records, as bytes; `script` looks at it in virtual time. */
async function overTopic(
  topic: string,
  lines: readonly Line[],
  script: (store: StateStore) => Promise<void>,
): Promise<void> {
  const world = new World(7, { trouble: TROUBLE })
  const [at] = world.target.createTopic(topic, 1, { 'cleanup.policy': 'compact' }).partitions
  for (const { key, value } of lines)
    at!.log.append(
      recordCodec.encode({
        baseOffset: 0,
        codec: 'none',
        records: [{ offset: 0, timestamp: 1, key: Buffer.from(key), value: Buffer.from(value), headers: [] }],
      }),
    )
  at!.log.advance()
  let isOver = false
  const done = openTopicStore(
    simPort(world.target, world.networks.target, new SimProcess()),
    recordCodec,
    world.clock,
    { create: false, writer: 1n, topic },
  )
    .then(script)
    .finally(() => {
      isOver = true
    })
  done.catch(() => undefined)
  assert.equal(await world.clock.run(() => isOver, 60_000), 'done')
  await done
}

describe('the golden state of version 1', () => {
  const read = new Map<string, StateRecord>()

  for (const topic of [STATE_TOPIC, JOURNAL_TOPIC])
    test(`${topic} reads, and would be written, as it stands there`, async () => {
      const lines = linesOf(topic)
      await overTopic(topic, lines, async store => {
        await store.refresh()
        assert.equal(store.entries('').length, lines.length)
        for (const { key, value } of lines) {
          const record = store.get(key)
          assert.equal(JSON.stringify(record), value, key)
          read.set(key, record!)
        }
      })
    })

  test('means what it meant', () => {
    assert.deepEqual(readingsOf(read), JSON.parse(readFileSync(new URL('readings.json', V1), 'utf8')))
  })

  test('has a record of every kind that kdr writes', () => {
    const kinds = globSync('src/**/*.ts', { cwd: root })
      .filter(path => !path.endsWith('.test.ts'))
      .flatMap(path => [...readFileSync(`${root}${path}`, 'utf8').matchAll(/toRecord\(\s*'([a-z-]+)'/g)])
      .map(([, kind]) => kind)
    // A run has a kind of its own, which stands where that of the record would.
    const golden = new Set([...read].flatMap(([key, { kind }]) => [kind, key.slice(0, key.indexOf('/'))]))
    assert.deepEqual(
      [...new Set(kinds)].filter(kind => !golden.has(kind!)),
      [],
    )
    assert.ok(kinds.length > 20)
  })

  for (const topic of [STATE_TOPIC, JOURNAL_TOPIC])
    test(`${topic}: a record of a newer version is refused, whichever it is`, async () => {
      for (const { key, value } of linesOf(topic)) {
        const newer = { key, value: JSON.stringify({ ...(JSON.parse(value) as object), v: 2 }) }
        await overTopic(topic, [newer], async store => {
          const refused = await store.refresh().catch((error: unknown) => error)
          assert.ok(refused instanceof KdrError)
          assert.equal(
            refused.message,
            `record "${key}" of topic "${topic}" has version 2; this kdr reads versions up to 1`,
          )
          assert.equal(refused.exit, 2)
          assert.equal(refused.hint, 'A newer kdr wrote this; use that version, or a later one.')
          assert.deepEqual(store.entries(''), [])
        })
      }
    })

  test('a member that this kdr does not know is kept, and stands in nobody’s way', async () => {
    const lines = linesOf(STATE_TOPIC).map(({ key, value }) => ({
      key,
      value: JSON.stringify({ ...(JSON.parse(value) as object), ofALaterKdr: true }),
    }))
    await overTopic(STATE_TOPIC, lines, async store => {
      await store.refresh()
      const entries = store.entries('')
      assert.equal(entries.length, lines.length)
      for (const [, record] of entries) assert.equal(record['ofALaterKdr'], true)
    })
  })
})
