import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { groupRoundKey, groupsKey } from '../../model/group-records.ts'
import { ledgerKey, linkKey, reportKey, toRecord, workerKey } from '../../model/state-records.ts'
import { wholeLink } from './whole-link.ts'

const NOW = 1_000_000
const state = 'mirroring'

const storeOf = (records: Readonly<Record<string, object>>) => ({
  get: (key: string) => records[key],
  entries: (prefix: string) => Object.entries(records).filter(([key]) => key.startsWith(prefix)),
})

const look = (records: Readonly<Record<string, object>>, own: Parameters<typeof wholeLink>[0]['own'] = []) =>
  wholeLink({
    store: storeOf(records),
    link: 'l',
    now: NOW,
    sourceSeenAt: NOW - 2_000,
    own,
    isWanted: { topic: name => name !== 'unwanted', group: name => name !== 'unwanted' },
  })

const report = (partitions: readonly object[], at: number) =>
  toRecord('report', { at, worker: 'w', generation: 1, targetTopicId: 'id', partitions })

describe('a link as a whole', () => {
  test('own partitions as they are now, those of others as reported, and how old that is', () => {
    const records = {
      [reportKey('l', 't', 1, 0)]: report(
        [
          { partition: 0, state, lagRecords: 99, lagMs: 99_000 },
          { partition: 1, state, lagRecords: 5, lagMs: 1_000 },
          { partition: 2, state, lagRecords: 0, lagMs: 0 },
          // Its broker gives nothing: what there is nobody knows, since so long.
          { partition: 3, state: 'waiting', isAnchored: true, lagRecords: 0, lagMs: 60_000 },
        ],
        NOW - 3_000,
      ),
      [reportKey('l', 'unwanted', 1, 0)]: report([{ partition: 0, lagRecords: 1_000, lagMs: 1 }], NOW),
    }
    const own = { topic: 't', partition: 0, state, lagRecords: 2, lagMs: 200 }
    const { lagRecords, lagMs, isLagKnown } = look(records, [own])
    assert.deepEqual({ lagRecords, lagMs, isLagKnown }, { lagRecords: 7, lagMs: 63_000, isLagKnown: true })
  })

  test('of a partition that nobody has copied yet nobody knows how long it is behind, whoever has it', () => {
    const begun = { topic: 't', partition: 0, state, isAnchored: true, lagRecords: 0, lagMs: 0 }
    const waiting = { partition: 1, state: 'waiting', isAnchored: false, lagRecords: 0, lagMs: 0 }
    const reported = { [reportKey('l', 't', 1, 0)]: report([waiting], NOW) }
    assert.equal(look({}, [begun]).isLagKnown, true)
    assert.equal(look({}, [begun, { ...begun, ...waiting }]).isLagKnown, false)
    assert.equal(look(reported, [begun]).isLagKnown, false)
  })

  test('the source was seen by whoever saw it last; workers that are silent do not count', () => {
    const worker = (state: string, at: number, sourceSeenAt: number) =>
      toRecord('worker', { state, at, sourceSeenAt, slots: [], taking: [] })
    const { workers, sourceSeenAt } = look({
      [workerKey('l', 'a')]: worker('running', NOW - 100, NOW - 500),
      [workerKey('l', 'b')]: worker('running', NOW - 60_000, NOW - 60_000),
      [workerKey('l', 'c')]: worker('stopped', NOW - 100, NOW - 1_000),
      [workerKey('other', 'd')]: worker('running', NOW, NOW),
    })
    assert.deepEqual({ workers, sourceSeenAt }, { workers: 1, sourceSeenAt: NOW - 500 })
  })

  test('the ledger, the groups and the generation', () => {
    const { lost, groups, groupsAt, generation } = look({
      [linkKey('l')]: toRecord('link', { generation: 4 }),
      [ledgerKey('l', 't', 0)]: toRecord('ledger', {
        ranges: [
          { from: 10, to: 15 },
          { from: 20, to: 21 },
        ],
        summed: { ranges: 2, offsets: 100, upTo: 10 },
      }),
      [groupsKey('l', 0, 0)]: toRecord('groups', {
        groups: [
          { group: 'a', state: 'synced', since: 1, isOwn: true },
          { group: 'b', state: 'skipped', reason: 'share-group', since: 1, isOwn: false },
          { group: 'unwanted', state: 'synced', since: 1, isOwn: true },
        ],
      }),
      [groupRoundKey('l')]: toRecord('round', { at: NOW - 7 }),
    })
    assert.deepEqual(lost, { offsets: 106, ranges: 4 })
    assert.deepEqual(groups, [{ state: 'synced' }, { state: 'skipped', reason: 'share-group' }])
    assert.deepEqual({ groupsAt, generation }, { groupsAt: NOW - 7, generation: 4 })
  })

  test('of a link that has just begun nothing is behind', () => {
    assert.deepEqual(look({}), {
      generation: 0,
      workers: 0,
      lagRecords: 0,
      lagMs: 0,
      isLagKnown: false,
      sourceSeenAt: NOW - 2_000,
      lost: { offsets: 0, ranges: 0 },
      groups: [],
      groupsAt: 0,
    })
  })
})
