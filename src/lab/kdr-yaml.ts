// The config that `kdr lab up` leaves in the lab's folder: its clusters, each over its line, so that `kdr lab line` can disturb a
// link that runs; and a link from the first to the second.

import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { LAB_USERS } from './properties.ts'
import { type BrokerRecord, readState } from './state.ts'

/** Returns its path. */
export function writeConfig(dir: string): string {
  const path = configFileOf(dir)
  writeFileSync(path, configText(dir))
  return path
}

/** Unless somebody has edited it. */
export function removeConfig(dir: string): void {
  const path = configFileOf(dir)
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch {
    return
  }
  if (text === configText(dir)) rmSync(path)
}

export function configFileOf(dir: string): string {
  return join(dir, 'kdr.yaml')
}

function configText(dir: string): string {
  const { clusters } = readState(dir)
  const lines = [
    '# Written by `kdr lab up`. `kdr lab down` removes it, unless it was edited.',
    '',
    'clusters:',
  ]
  for (const { name, brokers, security } of clusters) {
    lines.push(`  ${name}:`)
    lines.push(`    bootstrap: "${brokers.map(addressOf).join(',')}"`)
    if (security === 'acl')
      lines.push(`    sasl: { mechanism: plain, username: kdr, password: ${LAB_USERS.kdr} }`)
  }
  const [source, target] = clusters
  if (source !== undefined && target !== undefined) {
    lines.push('', 'links:', `  ${source.name}-${target.name}:`)
    lines.push(`    source: ${source.name}`, `    target: ${target.name}`)
  }
  return `${lines.join('\n')}\n`
}

/** Who asks over the line is told the addresses of lines. */
function addressOf({ port, line }: BrokerRecord): string {
  return line === undefined ? `127.0.0.1:${port}` : `localhost:${line.advertisedPort}`
}
