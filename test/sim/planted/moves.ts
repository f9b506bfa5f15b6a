// Bugs of a move that its oracles must find: put in from outside, by what the controller is given.
import { heldBy, mirrorsOf } from '../../../src/engine/runs/mirrors.ts'
import type { RunContext } from '../../../src/engine/runs/context.ts'
import { RUN_STEPS } from '../../../src/engine/runs/steps.ts'
import type { Journal } from '../../../src/engine/runs/journal.ts'
import type { StateStore } from '../../../src/ports/state.ts'
import type { Planted } from '../mover.ts'

/** It never asks whether its claim still counts, but when a step begins and ends. */
export const UNGUARDED: Planted = {
  journal: journal =>
    new Proxy(journal, {
      get: (of, name) => {
        if (name === 'guard') return async () => await Promise.resolve()
        if (name === 'guarding') return (store: StateStore) => store
        const value: unknown = of[name as keyof Journal]
        return typeof value === 'function' ? (value.bind(of) as unknown) : value
      },
    }),
}

/** It takes over, and acts at once. */
export const NO_WAIT: Planted = {
  clock: clock => ({
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    sleep: async () => await Promise.resolve(),
  }),
}

/** The link keeps its epochs; what is said of the cuts is right. */
export const NO_FENCE: Planted = {
  steps: {
    ...RUN_STEPS,
    'fence-link': async context => {
      const held = await heldBy(context.target, await mirrorsOf(context))
      const cuts = held.map(({ topic, partition, logEnd }) => ({ topic, partition, cut: logEnd }))
      return { what: '', data: { cuts } }
    },
  },
}

/** Workers are neither told nor waited for: who is to stand aside is not seen from when they should have been told. */
export const NO_STANDING_ASIDE: Planted = {
  context: context => {
    const { store } = context
    let shouldBeTold = false
    return {
      ...context,
      store: {
        refresh: async () => await store.refresh(),
        get position() {
          return store.position
        },
        get: key => store.get(key),
        entries: prefix => (shouldBeTold && prefix.startsWith('worker/') ? [] : store.entries(prefix)),
        put: async (key, record, mayStill) => {
          if (key.startsWith('hold/')) shouldBeTold = true
          else await store.put(key, record, mayStill)
        },
      },
    }
  },
}

/** Where the tail is exported to nobody finds it. */
export function forgetsTheTail(): Planted {
  const nowhere = new Map<string, Buffer>()
  const forgetting = (context: RunContext): RunContext => ({
    ...context,
    services: {
      ...context.services,
      openExport: () => ({
        name: 'nowhere',
        put: async (object, body) => {
          nowhere.set(object, Buffer.concat(body))
          return await Promise.resolve('')
        },
        sizeOf: async object => await Promise.resolve(nowhere.get(object)?.length),
        read: async object => await Promise.resolve(nowhere.get(object)),
      }),
    },
  })
  return { context: forgetting }
}

/** It goes on with what the old active holds, whatever stands beyond the cut. */
export const KEEPS_WHAT_DIVERGED: Planted = {
  steps: {
    ...RUN_STEPS,
    reverse: async context => {
      const { stranded, ...rest } = context.dataOf('export')!
      const partitions = stranded.partitions.map(each => ({ ...each, state: 'clean' as const }))
      return await RUN_STEPS.reverse({
        ...context,
        dataOf: name =>
          name === 'export'
            ? ({ ...rest, stranded: { ...stranded, partitions } } as never)
            : context.dataOf(name),
      })
    },
  },
}
