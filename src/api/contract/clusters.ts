// A watched cluster, as /api/clusters has it: a part of the contract.
import { z } from 'zod'
import { CONSUMER_STATES } from '../../model/consumer-state.ts'
import { count, ms, time } from './values.ts'

const partitionCounts = {
  partitions: count,
  offline: count.describe('Without a leader.'),
  underReplicated: count,
  underMinIsr: count.optional().describe('Left out: not known.'),
  notPreferred: count.describe('Whose first replica is in sync and does not lead.'),
}

export const watchedCluster = z.strictObject({
  name: z.string(),
  seenAt: time.nullable().describe('When it answered last.'),
  problem: z.string().optional().describe('Why it cannot be looked at now.'),
  partitions: z
    .strictObject({
      ...partitionCounts,
      topics: count,
      brokersMissing: z.array(z.int()),
      troubled: z.array(z.strictObject({ topic: z.string(), ...partitionCounts })),
    })
    .optional(),
  brokers: z.array(
    z.strictObject({
      broker: z.int(),
      isThere: z.boolean(),
      freeShare: z.number().optional().describe('Of its fullest volume, 0 to 1.'),
      logDirsOffline: count.optional(),
    }),
  ),
  controllers: z.strictObject({ leader: z.int(), voters: count, votersBehind: z.array(z.int()) }).optional(),
  groupsAt: time.nullable().describe('When groups were looked at last.'),
  groups: z.array(
    z.strictObject({
      group: z.string(),
      state: z.enum(CONSUMER_STATES),
      hasMembers: z.boolean(),
      lagRecords: count,
      lagMs: ms,
      isLagAtLeast: z.boolean().describe('It waited already when it was seen for the first time.'),
      partitions: count,
      worst: z
        .strictObject({
          topic: z.string(),
          partition: count,
          state: z.enum(CONSUMER_STATES),
          committed: count,
          end: z.int(),
        })
        .optional(),
    }),
  ),
  groupsUnwatched: count,
  notSeen: z.array(z.strictObject({ what: z.string(), why: z.string() })),
})
