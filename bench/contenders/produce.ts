// "Produce alone": not a mirror, but the limit of all that are not brokers. What it sends lies in its memory before it begins.

import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Program } from '../program.ts'
import type { Mirror } from './mirror.ts'
import type { ProduceAloneJob } from './produce-alone.ts'

const PROGRAM = fileURLToPath(new URL('produce-alone.ts', import.meta.url))

export const produce: Mirror = {
  name: 'produce',
  // oxlint-disable-next-line typescript/require-await
  start: async job => {
    const what: ProduceAloneJob = {
      source: job.source.bootstrap,
      target: job.target.bootstrap,
      topic: job.topics,
      replicationFactor: job.replicationFactor,
    }
    return [
      new Program({
        name: 'Produce alone',
        command: process.execPath,
        args: [PROGRAM, JSON.stringify(what)],
        logFile: join(job.dir, `${job.label}.produce.log`),
        mode: 'once',
      }),
    ]
  },
  endOf: ({ offsets }) => offsets,
  explain: () => '',
}
