import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { KafkaCode } from '../../model/kafka-codes.ts'
import type { GroupEntry } from '../../model/group-records.ts'
import type { GroupOffset, ListedGroup } from '../../ports/cluster.ts'
import { decide, deletable, type GroupSight, place, type Placed, refused, type Verdict } from './decide.ts'
import { type MirrorPosition, Mirrors } from './mirrors.ts'

const HOUR = 3_600_000
const NOW = 1_800_000_000_000
const TOPIC = 't'

const mirror = (partition: number, given: Partial<MirrorPosition> = {}): MirrorPosition => ({
  topic: TOPIC,
  topicId: 'id-1',
  partition,
  cursor: 100,
  logStart: 0,
  isAnchored: true,
  isStopped: false,
  ...given,
})
const MIRRORS = new Mirrors([mirror(0), mirror(1)])
const at = (partition: number, offset: number): GroupOffset => ({
  topic: TOPIC,
  partition,
  offset,
  metadata: 'm',
})
const placed = (partition: number, offset: number, topicId = 'id-1'): Placed => ({
  ...at(partition, offset),
  topicId,
})
const listed = (given: Partial<ListedGroup> = {}): ListedGroup => ({
  group: 'g',
  type: 'classic',
  state: 'Empty',
  ...given,
})
const read = (...offsets: GroupOffset[]) => ({ code: KafkaCode.NONE, offsets, pending: [] })
const entry = (given: Partial<GroupEntry> = {}): GroupEntry => ({
  group: 'g',
  state: 'synced',
  since: NOW,
  isOwn: true,
  ...given,
})

/** A group that stands at the source and, committed by kdr, at the target. */
function given(sight: Partial<GroupSight>, mirrors = MIRRORS, now = NOW): Verdict {
  return decide(
    {
      group: 'g',
      source: listed(),
      offsets: read(at(0, 40)),
      target: listed(),
      applied: [placed(0, 40)],
      entry: entry(),
      ...sight,
    },
    mirrors,
    { now, deleteAfterMs: HOUR },
  )
}
const why = ({ standing }: Verdict): string =>
  `${standing?.state ?? 'nothing'} ${standing?.reason ?? ''}`.trim()

describe('a group that the source has', () => {
  test('is committed as it is, metadata included', () => {
    const verdict = given({ applied: undefined })
    assert.deepEqual(verdict.act, { do: 'commit', offsets: [placed(0, 40)] })
    assert.equal(why(verdict), 'synced')
  })

  test('is committed once: not again as long as nothing changes', () => {
    const verdict = given({})
    assert.equal(verdict.act, undefined)
    assert.equal(why(verdict), 'synced')
  })

  test('follows backwards', () => {
    assert.deepEqual(given({ offsets: read(at(0, 3)) }).act, { do: 'commit', offsets: [placed(0, 3)] })
  })

  test('is committed again when it is gone at the target, or its mirror was made anew', () => {
    assert.equal(given({ target: undefined }).act?.do, 'commit')
    assert.equal(given({ applied: [placed(0, 40, 'id-0')] }).act?.do, 'commit')
  })

  test('beyond its mirror is committed where that ends, and moved up as data comes', () => {
    const offsets = read(at(0, 150))
    const clamped = given({ offsets })
    assert.deepEqual(clamped.act, { do: 'commit', offsets: [placed(0, 100)] })
    assert.equal(why(clamped), 'clamped beyond-mirror')

    const grown = new Mirrors([mirror(0, { cursor: 150 })])
    const raised = given({ offsets, applied: [placed(0, 100)] }, grown)
    assert.deepEqual(raised.act, { do: 'commit', offsets: [placed(0, 150)] })
    assert.equal(why(raised), 'synced')
  })

  test('below the log start of its mirror is committed where that begins', () => {
    const verdict = given({}, new Mirrors([mirror(0, { logStart: 60 })]))
    assert.deepEqual(verdict.act, { do: 'commit', offsets: [placed(0, 60)] })
    assert.equal(why(verdict), 'clamped below-log-start')
  })

  test('has its offsets in other topics left out', () => {
    const other = { ...at(0, 7), topic: 'other' }
    assert.deepEqual(given({ offsets: read(other, at(1, 9)) }).act, {
      do: 'commit',
      offsets: [placed(1, 9)],
    })
    const verdict = given({ offsets: read(other) })
    assert.equal(verdict.act, undefined)
    assert.equal(why(verdict), 'skipped not-mirrored')
  })

  test('is not dropped where a partition has no mirror yet', () => {
    const offsets = read(at(0, 40), at(2, 5))
    assert.equal(why(given({ offsets })), 'clamped behind')
    const unanchored = new Mirrors([mirror(0), mirror(2, { isAnchored: false })])
    const verdict = given({ offsets }, unanchored)
    assert.equal(why(verdict), 'clamped behind')
    assert.match(verdict.standing?.sentence ?? '', /t\/2 is not copied yet/)
  })

  test('with members at the target is left alone, and no more taken for kdr’s own', () => {
    for (const state of ['Stable', 'PreparingRebalance', 'CompletingRebalance', 'Assigning', 'Reconciling']) {
      const verdict = given({ offsets: read(at(0, 50)), target: listed({ state }) })
      assert.equal(verdict.act, undefined)
      assert.equal(why(verdict), 'skipped members-at-target')
    }
    const late = refused('g', { do: 'commit', offsets: [] }, KafkaCode.UNKNOWN_MEMBER_ID)
    assert.equal(late.reason, 'members-at-target')
  })

  test('with a transaction under way keeps the rest in step', () => {
    const pending = [{ topic: TOPIC, partition: 1 }]
    const verdict = given({ offsets: { ...read(at(0, 50)), pending } })
    assert.deepEqual(verdict.act, { do: 'commit', offsets: [placed(0, 50)] })
    assert.equal(why(verdict), 'clamped pending-transaction')
    assert.equal(why(given({ offsets: { ...read(), pending } })), 'skipped pending-transaction')
  })

  test('of another type is not carried, and the reason said', () => {
    for (const type of ['share', 'streams']) {
      const verdict = given({ source: listed({ type }), offsets: undefined, entry: undefined })
      assert.equal(verdict.act, undefined)
      assert.equal(why(verdict), `skipped ${type}-group`)
      assert.match(verdict.standing?.sentence ?? '', /does not carry/)
    }
  })

  test('that cannot be read stays as it is', () => {
    const refusal = (code: number) => ({ code, offsets: [], pending: [] })
    const verdict = given({ offsets: refusal(KafkaCode.GROUP_AUTHORIZATION_FAILED), source: undefined })
    assert.equal(verdict.act, undefined)
    assert.equal(why(verdict), 'skipped no-rights')
    assert.equal(why(given({ offsets: refusal(KafkaCode.COORDINATOR_NOT_AVAILABLE) })), 'skipped refused')
  })
})

describe('a group that is gone at the source', () => {
  const gone = { source: undefined, offsets: read() }

  test('is deleted an hour after that was first seen', () => {
    const seen = given(gone)
    assert.equal(seen.act, undefined)
    assert.equal(seen.goneAt, NOW)
    assert.equal(why(seen), 'skipped deleted-at-source')

    const remembered = { ...gone, entry: entry({ goneAt: NOW }) }
    const before = given(remembered, MIRRORS, NOW + HOUR - 1)
    assert.equal(before.act, undefined)
    assert.equal(before.goneAt, NOW)
    assert.deepEqual(given(remembered, MIRRORS, NOW + HOUR).act, { do: 'delete-group' })
  })

  test('never before kdr has committed it, nor while it has members at the target', () => {
    const due = { ...gone, entry: entry({ goneAt: NOW - 2 * HOUR }) }
    assert.deepEqual(given({ ...due, entry: entry({ goneAt: NOW - 2 * HOUR, isOwn: false }) }), {
      standing: undefined,
    })
    assert.deepEqual(given({ ...due, entry: undefined }), { standing: undefined })
    const used = given({ ...due, target: listed({ state: 'Stable' }) })
    assert.equal(used.act, undefined)
    assert.equal(why(used), 'skipped members-at-target')
  })

  test('waits anew when it was back in between, and when the clock was set back', () => {
    assert.equal(given({ entry: entry({ goneAt: NOW - HOUR }) }).goneAt, undefined)
    const verdict = given({ ...gone, entry: entry({ goneAt: NOW + 5 }) })
    assert.equal(verdict.goneAt, NOW)
    assert.equal(verdict.act, undefined)
  })

  test('is not taken for gone while the source lists it, or has a commit under way', () => {
    assert.equal(given({ ...gone, source: listed() }).goneAt, undefined)
    const pending = [{ topic: TOPIC, partition: 0 }]
    assert.equal(given({ ...gone, offsets: { ...read(), pending } }).goneAt, undefined)
  })

  test('keeps what it had committed in a mirror that is kept', () => {
    assert.equal(deletable([at(0, 1), at(1, 2)], MIRRORS), 'group')
    const kept = new Mirrors([mirror(0, { isStopped: true }), mirror(1)])
    assert.deepEqual(deletable([at(0, 1), at(1, 2)], kept), [at(1, 2)])
    assert.deepEqual(deletable([{ ...at(0, 1), topic: 'other' }], kept), [])
  })
})

describe('an offset that is gone at the source', () => {
  const applied = [placed(0, 40), placed(1, 50)]

  test('is deleted an hour later; the others go on', () => {
    const seen = given({ applied })
    assert.deepEqual(seen.gone, [{ topic: TOPIC, partition: 1, goneAt: NOW }])
    assert.equal(seen.act?.do, 'commit')

    const remembered = { entry: entry({ gone: seen.gone ?? [] }) }
    assert.equal(given(remembered, MIRRORS, NOW + HOUR - 1).act, undefined)
    const due = given(remembered, MIRRORS, NOW + HOUR)
    assert.deepEqual(due.act, { do: 'delete-offsets', partitions: seen.gone })
    assert.deepEqual(due.gone, [])
  })

  test('is kept where its mirror is', () => {
    const stopped = new Mirrors([mirror(0), mirror(1, { isStopped: true })])
    assert.deepEqual(given({ applied }, stopped).gone, [])
  })

  test('is forgotten when it is back', () => {
    const back = { offsets: read(at(0, 40), at(1, 51)), applied: [placed(0, 40)] }
    const verdict = given({
      ...back,
      entry: entry({ gone: [{ topic: TOPIC, partition: 1, goneAt: NOW - 2 * HOUR }] }),
    })
    assert.deepEqual(verdict.gone, [])
    assert.deepEqual(verdict.act, { do: 'commit', offsets: [placed(0, 40), placed(1, 51)] })
  })
})

test('an offset is never placed outside of its mirror', () => {
  for (let offset = 0; offset < 200; offset += 7) {
    const mirrors = new Mirrors([mirror(0, { logStart: 20, cursor: 120 })])
    const [only] = place([at(0, offset)], mirrors).placed
    assert.equal(only?.offset, Math.max(20, Math.min(120, offset)))
  }
})
