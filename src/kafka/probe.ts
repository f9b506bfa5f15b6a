// What `kdr check --probe` writes with (ports/probe.ts).
import type { ProbeWriter } from '../ports/probe.ts'
import type { ClusterContext } from './context.ts'
import { append } from './lanes.ts'

/** How long a broker waits for its followers. */
const TIMEOUT_MS = 5_000

export function probeWriter(context: ClusterContext): ProbeWriter {
  return {
    open: async broker => {
      const connection = await context.pool.openOwn(broker)
      return {
        append: async (entry, acks) => {
          const [answer] = await append(connection, [entry], TIMEOUT_MS, acks)
          return answer!
        },
        close: () => context.pool.closeOwn(connection),
      }
    },
  }
}
