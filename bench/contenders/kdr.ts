// kdr from this checkout, as a user would run it: `kdr run --once` for a backlog, `kdr run` to follow, and several of
// these when there are several workers.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { topOfProfiles } from '../profile.ts'
import { Program } from '../program.ts'
import type { Mirror, MirrorJob } from './mirror.ts'

export const KDR = fileURLToPath(new URL('../../kdr', import.meta.url))

export const kdr: Mirror = {
  name: 'kdr',
  // oxlint-disable-next-line typescript/require-await
  start: async (job, purpose) => {
    const mode = purpose === 'copy' && job.workers === 1 ? 'once' : 'daemon'
    const config = join(job.dir, `${job.label}.kdr.json`)
    writeFileSync(config, configText(job))
    return Array.from({ length: job.workers }, (_, index) => {
      const args = ['run', ...(mode === 'once' ? ['--once'] : []), '--config', config]
      const name = job.workers === 1 ? 'kdr' : `kdr (worker ${index + 1} of ${job.workers})`
      return new Program({
        name,
        command: KDR,
        args,
        ...(job.isProfiled && { env: profiled(job) }),
        logFile: join(job.dir, `${job.label}.kdr-${index}.log`),
        mode,
      })
    })
  },
  endOf: ({ offsets }) => offsets,
  explain: job => (job.isProfiled ? topOfProfiles(profileDir(job)) : ''),
}

/** JSON is YAML. */
function configText(job: MirrorJob): string {
  const link = {
    source: 'source',
    target: 'target',
    topics: [job.topics],
    ...(job.connectionsPerBroker && { connectionsPerBroker: job.connectionsPerBroker }),
    ...(job.replicationFactor > 1 && {
      overrides: [{ topics: [job.topics], replicationFactor: job.replicationFactor }],
    }),
  }
  const sasl = job.targetSasl === undefined ? {} : { sasl: { mechanism: 'plain', ...job.targetSasl } }
  return JSON.stringify({
    clusters: {
      source: { bootstrap: job.source.bootstrap },
      target: { bootstrap: job.target.bootstrap, ...sasl },
    },
    links: { [job.label]: link },
  })
}

function profiled(job: MirrorJob): Record<string, string> {
  const dir = profileDir(job)
  mkdirSync(dir, { recursive: true })
  return { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${dir}` }
}

function profileDir(job: MirrorJob): string {
  return join(job.dir, `${job.label}.profiles`)
}
