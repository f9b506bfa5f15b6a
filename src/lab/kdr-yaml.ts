// The config that `kdr lab up` leaves in the lab's folder: its clusters, and a link from the first to the second.

import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { LAB_USERS } from './properties.ts'
import { readState } from './state.ts'

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
    lines.push(`    bootstrap: "${brokers.map(({ port }) => `127.0.0.1:${port}`).join(',')}"`)
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
