// What happens to the clusters while kdr copies: a table, each row drawn again and again while the chaos lasts.
import { recordCodec } from '../../src/kafka/records.ts'
import type { Right, SimPartition } from './cluster.ts'
import { NO_FAULTS } from './network.ts'
import type { Random } from './random.ts'
import type { Trouble } from './trouble.ts'
import { START, TOPIC, type World } from './world.ts'

/** What is about to happen; undefined when there is nothing that it could happen to. */
type Act = { readonly what: string; readonly happen: () => void }
type Disturbance = {
  readonly name: string
  readonly isIn: (trouble: Trouble) => boolean
  /** At one look; looks are 0.6 s apart in the mean. */
  readonly chance: number
  readonly plan: (world: World, random: Random) => Act | undefined
}

export const FOREIGN = 'foreign'

const always = (): boolean => true

const DISTURBANCES: readonly Disturbance[] = [
  atSource('compaction', 'compaction', 0.3, (_world, source) => source.compact()),
  atSource('retention', 'retention', 0.15, (_world, source) => source.retain()),
  atSource('purges', 'DeleteRecords at the source', 0.1, (_world, source) => source.purge()),
  atSource('sourceLeaders', 'source leader moves', 0.3, (world, source) =>
    world.source.moveLeader(source.at),
  ),
  atSource('unclean', 'unclean election at the source', 0.1, (world, source, random) => {
    const { log } = source.at
    const to = random.between(Math.max(log.logStart, log.end - 30), log.end)
    source.loseFrom(to)
    world.source.loseEnd(source.at, to)
  }),
  atSource('hanging', 'a transaction hangs', 0.1, (_world, source) => source.hang()),
  {
    name: 'partitions are added',
    isIn: ({ addedPartitions }) => addedPartitions,
    chance: 0.06,
    plan: world => {
      const count = world.workloads.length + 1
      if (!world.isThere || count > 4) return undefined
      return { what: `${count} partitions at the source`, happen: () => world.addPartitions(count) }
    },
  },
  {
    name: 'the source topic is recreated',
    isIn: ({ recreatedSource }) => recreatedSource,
    chance: 0.06,
    plan: (world, random) => {
      if (!world.isThere || world.lives.length > 2) return undefined
      const afterMs = random.chance(0.5) ? random.between(0, 50) : random.between(50, 6_000)
      const plan = { partitions: random.between(1, 3), steps: random.between(0, 120) }
      return {
        what: `the source topic is deleted, for ${afterMs} ms`,
        happen: () => {
          world.deleteSource()
          void world.clock.sleep(afterMs).then(() => recreateSource(world, plan))
        },
      }
    },
  },
  atTarget('targetLeaders', 0.4, (world, at, partition, random) =>
    random.chance(0.5)
      ? { what: `target leader of ${partition} moves`, happen: () => world.target.moveLeader(at) }
      : { what: `target broker of ${partition} restarts`, happen: () => world.target.restart(at) },
  ),
  atTarget('underReplication', 0.3, (_world, at, partition) => ({
    what: `target ${partition} under-replicated: ${!at.isUnderReplicated}`,
    happen: () => {
      at.isUnderReplicated = !at.isUnderReplicated
    },
  })),
  atTarget('minIsr', 0.15, (world, at, partition, random) => {
    const ms = random.between(20, 4_000)
    return {
      what: `target ${partition} below min.insync.replicas for ${ms} ms`,
      happen: () => {
        at.isBelowMin = true
        void world.clock.sleep(ms).then(() => {
          at.isBelowMin = false
        })
      },
    }
  }),
  atTarget('targetUnclean', 0.08, (world, at, partition, random) => {
    const to = random.between(Math.max(at.log.logStart, at.log.end - 20), at.log.end)
    return {
      what: `unclean election at the target: ${partition} ends at ${to} instead of ${at.log.end}`,
      happen: () => world.target.loseEnd(at, to),
    }
  }),
  atTarget('foreignWriter', 0.1, (_world, at, partition) => ({
    what: `somebody writes to ${partition}`,
    happen: () => writeForeign(at),
  })),
  {
    name: 'the mirror is deleted',
    isIn: ({ recreatedTarget }) => recreatedTarget,
    chance: 0.06,
    plan: (world, random) => {
      const mirror = world.target.topics.get(TOPIC)
      if (mirror === undefined) return undefined
      const isMadeAgain = random.chance(0.7)
      const afterMs = random.chance(0.5) ? random.between(0, 20) : random.between(20, 3_000)
      return {
        what: `the mirror is deleted${isMadeAgain ? `, and made again after ${afterMs} ms` : ''}`,
        happen: () => {
          world.target.deleteTopic(TOPIC)
          if (!isMadeAgain) return
          void world.clock.sleep(afterMs).then(() => {
            if (!world.target.topics.has(TOPIC)) world.target.createTopic(TOPIC, mirror.partitions.length, {})
          })
        },
      }
    },
  },
  {
    name: 'rights are lost',
    isIn: ({ rights }) => rights,
    chance: 0.15,
    plan: (world, random) => {
      const isAtSource = random.chance(0.4)
      const { denied } = isAtSource ? world.source : world.target
      const right = random.pick<Right>(
        isAtSource ? ['describe', 'read'] : ['describe', 'read', 'write', 'delete', 'cluster', 'state'],
      )
      const ms = random.between(100, 8_000)
      return {
        what: `no right to "${right}" at the ${isAtSource ? 'source' : 'target'} for ${ms} ms`,
        happen: () => {
          denied.add(right)
          void world.clock.sleep(ms).then(() => denied.delete(right))
        },
      }
    },
  },
  {
    name: 'throttling',
    isIn: ({ throttling }) => throttling,
    chance: 0.1,
    plan: (world, random) => {
      const side = random.pick(['source', 'target'] as const)
      const ms = random.between(500, 8_000)
      return {
        what: `the ${side} throttles for ${ms} ms`,
        happen: () => {
          world.networks[side].isThrottled = true
          world[side].isBeyondQuota = true
          void world.clock.sleep(ms).then(() => {
            world.networks[side].isThrottled = false
            world[side].isBeyondQuota = false
          })
        },
      }
    },
  },
  {
    name: 'blackout',
    isIn: ({ blackouts }) => blackouts,
    chance: 0.06,
    plan: (world, random) => {
      const side = random.pick(['source', 'target'] as const)
      const ms = random.between(100, 15_000)
      return {
        what: `the ${side} cannot be reached for ${ms} ms`,
        happen: () => {
          world.networks[side].isDown = true
          void world.clock.sleep(ms).then(() => {
            world.networks[side].isDown = false
          })
        },
      }
    },
  },
  {
    name: 'producers expire',
    isIn: always,
    chance: 0.2,
    plan: world => ({ what: 'producers expire', happen: () => world.target.expireProducers() }),
  },
]

/** Until `until` (monotonic). */
export async function disturb(world: World, until: number): Promise<void> {
  const random = world.random.stream('disturb')
  const { often } = world.trouble
  const rows = DISTURBANCES.filter(({ isIn }) => isIn(world.trouble)).map(row => ({
    row,
    own: world.random.stream(`disturb ${row.name}`),
  }))
  while (world.clock.monotonic() < until) {
    await world.clock.sleep(random.between(50, 1_200))
    for (const { row, own } of rows) {
      const chance = often.includes(row.name) ? 3 * row.chance : row.chance
      const act = own.chance(chance) ? row.plan(world, own) : undefined
      if (act !== undefined && world.chaos.strikes(act.what)) act.happen()
    }
  }
}

/** Nothing is broken any more; what was deleted is there again. */
export function heal(world: World): void {
  world.chaos.isOn = false
  for (const side of ['source', 'target'] as const) {
    const cluster = world[side]
    const network = world.networks[side]
    Object.assign(network.faults, NO_FAULTS)
    network.isDown = false
    network.isThrottled = false
    cluster.isBeyondQuota = false
    cluster.denied.clear()
    cluster.markersRepeat = 0
    for (const { at } of cluster.all()) {
      at.isUnderReplicated = false
      at.isBelowMin = false
      at.log.advance()
    }
  }
}

export function recreateSource(world: World, plan: { partitions: number; steps: number }): void {
  if (world.isThere) return
  world.say(`the source topic is created again, with ${plan.partitions} partition(s)`)
  const { workloads } = world.createSource(plan.partitions)
  for (let step = 0; step < plan.steps; step++) for (const workload of workloads) workload.step()
}

/** An ordinary producer that has taken the mirror for its topic. */
function writeForeign({ log }: SimPartition): void {
  const records = [{ offset: 0, timestamp: START, key: null, value: Buffer.from(FOREIGN), headers: [] }]
  log.force(recordCodec.encode({ codec: 'none', records }))
}

function atSource(
  kind: keyof Trouble,
  what: string,
  chance: number,
  happen: (world: World, source: World['workloads'][number], random: Random) => void,
): Disturbance {
  return {
    name: what,
    isIn: trouble => trouble[kind] === true,
    chance,
    plan: (world, random) => {
      if (!world.isThere) return undefined
      const partition = random.between(0, world.workloads.length - 1)
      const own = random.stream(String(random.between(0, 2 ** 31)))
      return {
        what: `${what}, partition ${partition}`,
        happen: () => happen(world, world.workloads[partition]!, own),
      }
    },
  }
}

function atTarget(
  kind: keyof Trouble,
  chance: number,
  plan: (world: World, at: SimPartition, partition: number, random: Random) => Act,
): Disturbance {
  return {
    name: kind,
    isIn: trouble => trouble[kind] === true,
    chance,
    plan: (world, random) => {
      const mirrors = world.mirrors()
      if (mirrors.length === 0) return undefined
      const { at, partition } = random.pick(mirrors)
      return plan(world, at, partition, random)
    },
  }
}
