// Kafka's own command-line tools, which the lab does not need otherwise.
import { execFile } from 'node:child_process'
import { mkdtempSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { classPathOf, resolveJars } from '../../src/lab/jars.ts'
import type { LabCluster } from '../../src/lab/lab.ts'
import { adminOf } from './link.ts'

const VERSION = '4.3.1'

/** `kafka-transactions.sh` with the rights of an administrator. Returns what it prints. */
export async function kafkaTransactions(cluster: LabCluster, args: readonly string[]): Promise<string> {
  const { bootstrap } = adminOf(cluster)
  const tool = 'org.apache.kafka.tools.TransactionsCommand'
  const at = ['--bootstrap-server', bootstrap, '--command-config', loginOf(cluster)]
  const { stdout } = await promisify(execFile)('java', ['-cp', await toolsPath(), tool, ...at, ...args])
  return stdout
}

/** A folder with a `kafka-acls` in it, for the PATH of a shell, and an administrator's login. */
export async function kafkaAclsOnPath(
  cluster: LabCluster,
): Promise<{ readonly path: string; readonly login: string }> {
  const path = mkdtempSync(join(tmpdir(), 'kdr-tool-'))
  const tool = 'org.apache.kafka.tools.AclCommand'
  const script = `#!/bin/sh\nexec java -XX:TieredStopAtLevel=1 -cp '${await toolsPath()}' ${tool} "$@"\n`
  writeFileSync(join(path, 'kafka-acls'), script, { mode: 0o755 })
  return { path, login: loginOf(cluster) }
}

const SCRIPTS = {
  'kafka-leader-election.sh': 'org.apache.kafka.tools.LeaderElectionCommand',
  'kafka-reassign-partitions.sh': 'org.apache.kafka.tools.reassign.ReassignPartitionsCommand',
} as const

/** A folder with tools as Kafka's own distribution names them, and `kdr`, for the PATH of a shell. */
export async function kafkaScriptsOnPath(): Promise<string> {
  const path = mkdtempSync(join(tmpdir(), 'kdr-tool-'))
  const classPath = await toolsPath()
  for (const [name, tool] of Object.entries(SCRIPTS)) {
    const script = `#!/bin/sh\nexec java -XX:TieredStopAtLevel=1 -cp '${classPath}' ${tool} "$@"\n`
    writeFileSync(join(path, name), script, { mode: 0o755 })
  }
  symlinkSync(fileURLToPath(new URL('../../kdr', import.meta.url)), join(path, 'kdr'))
  return path
}

async function toolsPath(): Promise<string> {
  const jars = await resolveJars(`kafka-tools/${VERSION}`, [
    { group: 'org.apache.kafka', name: 'kafka-tools', version: VERSION },
    { group: 'org.slf4j', name: 'slf4j-simple', version: '1.7.36' },
  ])
  return await classPathOf(jars)
}

function loginOf(cluster: LabCluster): string {
  const { properties = {} } = adminOf(cluster)
  const login = join(mkdtempSync(join(tmpdir(), 'kdr-tool-')), 'admin.properties')
  const lines = Object.entries(properties).map(([key, value]) => `${key}=${value}\n`)
  writeFileSync(login, lines.join(''))
  return login
}
