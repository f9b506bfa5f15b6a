// A worker that carries out what was asked of a link, and stands still in the middle of it; everything else of commands is played by the
// simulated world (test/sim).
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { KdrError } from '../../model/errors.ts'
import { KafkaCode } from '../../model/kafka-codes.ts'
import { commandKey, leavingKey, partitionKey, topicKey } from '../../model/state-records.ts'
import type { StateRecord } from '../../ports/state.ts'
import { Commands } from './commands.ts'
import type { LinkContext } from './context.ts'
import type { Copies } from './copies.ts'
import { PRODUCE_TIMEOUT_MS } from './limits.ts'
import type { Topics } from './topics.ts'

const LINK = 'l'
const TOPIC = 't'
const COMMAND = commandKey(LINK, 'c')
const PARTITION = partitionKey(LINK, TOPIC, 0)
const of = (more: Readonly<Record<string, unknown>>): StateRecord => ({ v: 1, kind: 'any', ...more })

/**
 * A mirror of id `old` that is to be copied anew. `there`: the id of the topic that has its name at the target by then; `onDelete`: while
 * the target is asked to delete it.
 */
function world(
  onDelete: (world: { records: Map<string, StateRecord>; stop: (what: 'lease' | 'control') => void }) => void,
  there = 'old',
) {
  const deleted: string[] = []
  const records = new Map<string, StateRecord>([
    [COMMAND, of({ verb: 'recopy', topic: TOPIC, targetTopicId: 'old', at: 0, by: 'ann' })],
    [topicKey(LINK, TOPIC), of({ targetTopicId: 'old' })],
    [PARTITION, of({ targetTopicId: 'old' })],
  ])
  const right = { lease: true, control: true }
  let now = 0
  const put = async (
    key: string,
    record: StateRecord | undefined,
    mayStill?: () => boolean,
  ): Promise<void> => {
    await Promise.resolve()
    if (mayStill?.() === false) throw new KdrError('unreachable', 'it came too late')
    if (record === undefined) records.delete(key)
    else records.set(key, record)
  }
  const stop = (what: 'lease' | 'control'): void => void (right[what] = false)
  const context = {
    link: LINK,
    store: {
      position: 0,
      refresh: async () => undefined,
      get: (key: string) => records.get(key),
      entries: (prefix: string) => [...records].filter(([key]) => key.startsWith(prefix)),
      put,
    },
    slots: {
      areAllHeld: () => true,
      livingOthers: () => [],
      get hasControl() {
        return right.control
      },
    },
    lease: {
      get isHeld() {
        return right.lease
      },
    },
    clock: { now: () => now, monotonic: () => now },
    log: { event: () => undefined },
    target: {
      deleteTopic: async (topic: string, id?: string) => {
        await Promise.resolve()
        onDelete({ records, stop })
        if (id !== undefined && id !== there) return { code: KafkaCode.UNKNOWN_TOPIC_ID }
        deleted.push(topic)
        return { code: KafkaCode.NONE }
      },
    },
    targetWatch: { topic: () => ({ id: 'old' }) },
    assertControl: async () => undefined,
  } as unknown as LinkContext
  const topics: Pick<Topics, 'forget'> = {
    forget: async (topic, mayStill) => await put(topicKey(LINK, topic), undefined, mayStill),
  }
  const copies: Pick<Copies, 'drop'> = { drop: async () => undefined }
  const commands = new Commands(context, copies as Copies, topics as Topics)
  return { records, commands, deleted, pass: (ms: number) => void (now += ms) }
}

describe('a mirror that is copied anew', () => {
  test('is forgotten, when nothing that was sent to it can land any more', async () => {
    const { records, commands, deleted, pass } = world(() => undefined)
    await commands.obey()
    assert.ok(records.has(leavingKey(LINK, TOPIC)) && records.has(PARTITION))
    pass(PRODUCE_TIMEOUT_MS)
    await commands.obey()
    assert.deepEqual([[...records.keys()], deleted], [[], [TOPIC]])
  })

  test('what somebody has made under its name meanwhile is not deleted', async () => {
    const { records, commands, deleted, pass } = world(() => undefined, 'another')
    await commands.obey()
    pass(PRODUCE_TIMEOUT_MS)
    await commands.obey()
    assert.deepEqual([[...records.keys()], deleted], [[], []])
  })

  for (const what of ['lease', 'control'] as const)
    test(`keeps what its successor knows, when the worker has lost its ${what} meanwhile`, async () => {
      const made = of({ targetTopicId: 'new' })
      const { records, commands, pass } = world(({ records: all, stop }) => {
        // The successor has had it deleted too, made anew, and told so.
        stop(what)
        for (const key of [COMMAND, leavingKey(LINK, TOPIC)]) all.delete(key)
        for (const key of [topicKey(LINK, TOPIC), PARTITION]) all.set(key, made)
      })
      await commands.obey()
      pass(PRODUCE_TIMEOUT_MS)
      await assert.rejects(commands.obey(), { code: 'unreachable' })
      assert.deepEqual([records.get(topicKey(LINK, TOPIC)), records.get(PARTITION)], [made, made])
    })
})
