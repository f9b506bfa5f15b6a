import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deniedRecords, readDenied } from '../../model/denied.ts'
import { aclKey, type AclRule } from '../../model/rights.ts'
import type { StateRecord, StateStore } from '../../ports/state.ts'
import type { FenceSite } from './denials.ts'
import { liftGuard } from './lift-guard.ts'

const rule = (name: string): AclRule => ({
  type: 'TOPIC',
  pattern: 'LITERAL',
  name,
  principal: 'User:*',
  host: '*',
  operation: 'WRITE',
  permission: 'DENY',
})
const of = (link: string, clusterId = 'west-id') => ({ link, clusterId, isGuard: true })

test('what is promoted is denied to nobody, whichever link has put that there; all else stays', async () => {
  const records = new Map<string, StateRecord>([
    ...(deniedRecords(of('moved'), [rule('orders'), rule('_kdr.guard')]) as Map<string, StateRecord>),
    ...(deniedRecords(of('giver'), [rule('taken'), rule('stays')]) as Map<string, StateRecord>),
    ...(deniedRecords(of('moved', 'east-id'), [rule('there')]) as Map<string, StateRecord>),
  ])
  const store: StateStore = {
    position: 0,
    refresh: async () => {},
    get: key => records.get(key),
    entries: prefix => [...records].filter(([key]) => key.startsWith(prefix)),
    put: async (key, record) => {
      if (record === undefined) records.delete(key)
      else records.set(key, record)
      await Promise.resolve()
    },
  }
  const lifted: string[] = []
  let isRefused = true
  const site: FenceSite = {
    of: { link: 'moved', clusterId: 'west-id' },
    cluster: {
      name: 'west',
      describeAcls: async () => await Promise.resolve({ code: 0, rules: [] }),
      createAcls: async rules => await Promise.resolve(rules.map(() => ({ code: 0 }))),
      deleteAcls: async rules => {
        if (!isRefused) lifted.push(...rules.map(({ name }) => name))
        return await Promise.resolve(rules.map(() => ({ code: isRefused ? 31 : 0 })))
      },
    },
    stores: [store],
    clock: { now: () => 0, monotonic: () => 0, sleep: async () => {} },
    guard: async () => {},
  }
  await assert.rejects(liftGuard(site, ['orders', 'taken']), { code: 'not-allowed' })
  isRefused = false
  await liftGuard(site, ['orders', 'taken'])
  assert.deepEqual(lifted.toSorted(), ['_kdr.guard', 'orders', 'taken'])
  assert.deepEqual(readDenied(store, of('moved')), [])
  assert.deepEqual(readDenied(store, of('giver')).map(aclKey), [aclKey(rule('stays'))])
  assert.equal(readDenied(store, of('moved', 'east-id')).length, 1)
})
