// Kafka's own command-line tools, which the lab does not need otherwise.
import { execFile } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { classPathOf, resolveJars } from '../../src/lab/jars.ts'
import type { LabCluster } from '../../src/lab/lab.ts'
import { adminOf } from './link.ts'

const VERSION = '4.3.1'

/** `kafka-transactions.sh` with the rights of an administrator. Returns what it prints. */
export async function kafkaTransactions(cluster: LabCluster, args: readonly string[]): Promise<string> {
  const jars = await resolveJars(`kafka-tools/${VERSION}`, [
    { group: 'org.apache.kafka', name: 'kafka-tools', version: VERSION },
    { group: 'org.slf4j', name: 'slf4j-simple', version: '1.7.36' },
  ])
  const { bootstrap, properties = {} } = adminOf(cluster)
  const login = join(mkdtempSync(join(tmpdir(), 'kdr-tool-')), 'admin.properties')
  writeFileSync(
    login,
    Object.entries(properties)
      .map(([key, value]) => `${key}=${value}\n`)
      .join(''),
  )
  const tool = 'org.apache.kafka.tools.TransactionsCommand'
  const at = ['--bootstrap-server', bootstrap, '--command-config', login]
  const { stdout } = await promisify(execFile)('java', ['-cp', await classPathOf(jars), tool, ...at, ...args])
  return stdout
}
