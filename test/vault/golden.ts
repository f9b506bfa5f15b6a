// Makes the golden vault of the present version of the format, once: `node test/vault/golden.ts test/vault/golden/v1`. It is kept as it is:
// whatever comes later must read it.
import { fileURLToPath } from 'node:url'
import { crc32c } from '../../src/kafka/crc.ts'
import { type RawBatch, readBatchHeader } from '../../src/model/batch.ts'
import type { CommitDraft, SetWriter } from '../../src/ports/vault.ts'
import { openFileStore } from '../../src/store/files.ts'
import { DAY_MS, executePrune, preparePrune } from '../../src/vault/prune.ts'
import { recordVerified } from '../../src/vault/verified.ts'
import {
  madeBatch,
  madeDraft,
  madeTopic,
  madeVault,
  SET,
  TOPIC_ID,
  unique,
  writeBatches,
  writerOf,
} from './made.ts'

export function transactional(batch: RawBatch, producerId: bigint, isControl = false): RawBatch {
  const { bytes } = batch
  bytes.writeInt16BE(bytes.readInt16BE(21) | 0x10 | (isControl ? 0x20 : 0), 21)
  bytes.writeBigInt64BE(producerId, 43)
  bytes.writeUInt32BE(crc32c(bytes.subarray(21)), 17)
  return { bytes, header: readBatchHeader(bytes) }
}

const dayOf = (at: number): string => new Date(at * DAY_MS).toISOString()

/** Retention, a truncation, an aborted transaction, a second topic that goes, groups, rights, both compressions, a prune. */
export async function makeGolden(folder: string): Promise<void> {
  const store = openFileStore(folder, unique)
  await madeVault(store)
  let day = 0
  const commit = async (
    act: (writer: SetWriter) => Promise<Partial<CommitDraft> & Pick<CommitDraft, 'topics'>>,
    compression: 'none' | 'zstd' = 'none',
  ): Promise<void> => {
    day++
    const writer = await writerOf(store, { compression, now: day * DAY_MS })
    const { topics, ...more } = await act(writer)
    await writer.commit(madeDraft(topics, { groupsAt: dayOf(day), endsAt: dayOf(day), ...more }))
  }
  const partition = { partition: 0 }
  await commit(async writer => {
    const segment = await writeBatches(writer, [madeBatch({ from: 0, values: ['gone', 'a'] })])
    const other = await writeBatches(writer, [madeBatch({ from: 0, values: ['goes'] })], {
      topic: 'u',
      topicId: OTHER_ID,
    })
    return {
      topics: [
        madeTopic([{ ...partition, start: 0, end: 2, segments: [segment] }]),
        madeTopic([{ ...partition, start: 0, end: 1, segments: [other] }], 'u', OTHER_ID),
      ],
      groups: [{ group: 'g', type: 'classic', offsets: [['t', 0, 1, 'meta']] }],
    }
  })
  await commit(async writer => {
    const segment = await writeBatches(writer, [
      madeBatch({ from: 2, values: ['b'] }),
      madeBatch({ from: 3, values: ['taken back'] }),
    ])
    return {
      topics: [madeTopic([{ ...partition, start: 1, end: 4, segments: [segment] }])],
      topicsGone: ['u'],
    }
  })
  await commit(async writer => {
    const segment = await writeBatches(writer, [
      madeBatch({ from: 3, values: ['ü'], epoch: 2, timestamp: 2_000 }),
    ])
    return { topics: [madeTopic([{ ...partition, start: 2, end: 4, clip: 3, segments: [segment] }])] }
  })
  await commit(async writer => {
    const batches = [
      transactional(madeBatch({ from: 4, values: ['aborted'], epoch: 2 }), 77n),
      madeBatch({ from: 5, values: ['c'], epoch: 2 }),
      transactional(madeBatch({ from: 6, values: ['marker'], epoch: 2 }), 77n, true),
      transactional(madeBatch({ from: 7, values: ['committed'], epoch: 2 }), 77n),
    ]
    const segment = await writeBatches(writer, batches, { aborted: [{ producerId: 77n, firstOffset: 4 }] })
    return {
      topics: [madeTopic([{ ...partition, start: 2, end: 8, segments: [segment] }])],
      groups: [{ group: 'g', type: 'classic', offsets: [['t', 0, 7, null]] }],
      rights: { acls: [], quotas: [], users: [{ name: 'app', mechanisms: ['SCRAM-SHA-512'] }] },
    }
  })
  const verified = { set: SET, number: 4, at: dayOf(4), by: 'kdr test', objects: 13, bytes: 0 }
  await recordVerified(store, verified, unique)
  const options = { store, set: SET, by: 'kdr test', unique, now: () => 4.5 * DAY_MS, days: 1 }
  await executePrune(options, await preparePrune(options))
  await commit(async writer => {
    const values = Array.from({ length: 20 }, (_none, i) => `compressed ${i}`)
    const segment = await writeBatches(writer, [madeBatch({ from: 8, values, epoch: 2, timestamp: 3_000 })])
    return { topics: [madeTopic([{ ...partition, start: 2, end: 28, segments: [segment] }])] }
  }, 'zstd')
}

const OTHER_ID = TOPIC_ID.replace(/1$/, '2')

if (process.argv[1] === fileURLToPath(import.meta.url)) await makeGolden(process.argv[2]!)
