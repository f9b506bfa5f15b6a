import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { KdrError } from '../model/errors.ts'
import type { TopicOverride } from '../model/link-settings.ts'
import type { ClusterView, ConfigEntry, TopicConfigs } from '../ports/cluster.ts'
import { shortOf, tellUnwritable } from './target-defaults.ts'

/** Topics by name, with how many replicas each has. */
function view(brokers: number, topics: Readonly<Record<string, number>>): ClusterView {
  return {
    clusterId: 'abc',
    brokers: Array.from({ length: brokers }, (_, id) => ({ id, host: 'h', port: 1, rack: undefined })),
    topics: new Map(
      Object.entries(topics).map(([name, replicas]) => {
        const ids = Array.from({ length: replicas }, (_, id) => id)
        const partition = { partition: 0, leader: 0, leaderEpoch: 0, replicas: ids, isr: ids }
        return [name, { name, id: name, isInternal: false, partitions: [partition] }]
      }),
    ),
  }
}

const SOURCE = view(3, { one: 1, three: 3, _schemas: 1 })
const override = (changes: Partial<TopicOverride>): TopicOverride => ({
  topics: ['*'],
  configs: {},
  ...changes,
})

describe('topics that could not be written at the target', () => {
  for (const [what, { target, asked = 2, overrides = [], short }] of Object.entries<{
    readonly target: ClusterView
    readonly asked?: number
    readonly overrides?: readonly TopicOverride[]
    readonly short: readonly string[]
  }>({
    'fewer replicas than asked for': { target: view(3, {}), short: ['one'] },
    'fewer brokers than asked for': { target: view(1, {}), short: ['one', 'three'] },
    'none where one is enough': { target: view(1, {}), asked: 1, short: [] },
    'none that is there already': { target: view(3, { one: 1 }), short: [] },
    'none whose override has enough replicas': {
      target: view(3, {}),
      overrides: [override({ replicationFactor: 2 })],
      short: [],
    },
    'none whose override asks for less': {
      target: view(1, {}),
      overrides: [override({ configs: { 'min.insync.replicas': '1' } })],
      short: [],
    },
    'those that an override gives too few': {
      target: view(3, {}),
      overrides: [override({ topics: ['three'], replicationFactor: 1 })],
      short: ['one', 'three'],
    },
  }))
    test(what, () => {
      assert.deepEqual(shortOf({ topics: ['*'], overrides }, { source: SOURCE, target }, asked), short)
    })

  const tell = async (brokerConfigs: () => Promise<Map<string, string>>): Promise<string[]> => {
    const said: string[] = []
    const own: ConfigEntry = { value: '1', isOverride: true, isReadOnly: false, isSensitive: false }
    const configs = new Map<string, TopicConfigs>([
      ['three', { code: 0, entries: new Map([['min.insync.replicas', own]]) }],
      ['one', { code: 0, entries: new Map([['min.insync.replicas', { ...own, isOverride: false }]]) }],
    ])
    await tellUnwritable(
      { name: 'ew', topics: ['*'], overrides: [] },
      {
        source: { name: 'east', topicConfigs: () => Promise.resolve(configs) },
        target: { name: 'west', brokerConfigs },
        views: { source: SOURCE, target: view(1, {}) },
      },
      { event: (_level, text) => void said.push(text) },
    )
    return said
  }

  test('are named once, with the way out; not those that say themselves how many', async () => {
    assert.deepEqual(await tell(() => Promise.resolve(new Map([['min.insync.replicas', '2']]))), [
      'link "ew": brokers of "west" ask for 2 replicas in sync (min.insync.replicas), and these would have fewer, so that nothing could be written to them: one. Give them more replicas, or ask for fewer: overrides: [{ topics: [...], configs: { min.insync.replicas: 1 } }]',
    ])
  })

  test('are not looked for where brokers may not be asked', async () => {
    assert.deepEqual(await tell(() => Promise.reject(new KdrError('not-allowed', 'no'))), [])
    await assert.rejects(
      tell(() => Promise.reject(new KdrError('unreachable', 'no'))),
      {
        code: 'unreachable',
      },
    )
  })
})
