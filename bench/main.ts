// `make bench`: kdr beside MirrorMaker 2 and the broker's own follower, on this machine. All of it takes hours and goes
// on in the background; CASE=lz4,zstd chooses and stays in the terminal. ROUNDS, SIZE_MB, PROFILE=1 and FOREGROUND=1 are read too.

import { execFileSync, spawn } from 'node:child_process'
import { openSync, renameSync, writeFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { fileURLToPath } from 'node:url'
import { prepareDistribution } from '../src/lab/distribution.ts'
import { javaTool } from '../src/lab/processes.ts'
import { measureBackup, measurePoint } from './backup.ts'
import { type Case, CASES, type StageKind } from './cases.ts'
import { mirrormakerJars } from './contenders/mirrormaker.ts'
import { measureCopying } from './copying.ts'
import { measureIdle } from './idle.ts'
import { measureLag } from './lag.ts'
import { measureMoving } from './moving.ts'
import { killPrograms } from './program.ts'
import type { CaseReport } from './report.ts'
import { type Surroundings, writeResults } from './results.ts'
import { sentenceOf } from './rounds.ts'
import { readSettings, type Settings } from './settings.ts'
import { type Stage, startStage } from './stage.ts'

const RESULTS = fileURLToPath(new URL('RESULTS.md', import.meta.url))
const LOG = fileURLToPath(new URL('bench.log', import.meta.url))
const MAIN = fileURLToPath(import.meta.url)
/** Tells the copy of this program in the background that it is that. */
const IN_BACKGROUND = 'KDR_BENCH_IN_BACKGROUND'

async function main(): Promise<void> {
  const settings = readSettings(process.env)
  const isAsked = settings.cases !== undefined || (process.env['FOREGROUND'] ?? '') !== ''
  if (isAsked || process.env[IN_BACKGROUND] === 'yes') await measureAll(settings)
  else startInBackground()
}

function startInBackground(): void {
  const log = openSync(LOG, 'w')
  const env = { ...process.env, [IN_BACKGROUND]: 'yes' }
  const child = spawn(process.execPath, [MAIN], { detached: true, stdio: ['ignore', log, log], env })
  child.unref()
  const pid = String(child.pid)
  console.log(
    `measuring everything, as process ${pid}; follow it with \`tail -f ${LOG}\`, stop it with \`kill ${pid}\`; the figures go to ${RESULTS}`,
  )
}

async function measureAll(settings: Settings): Promise<void> {
  const wanted = CASES.filter(({ name }) => settings.cases?.includes(name) ?? true)
  const surroundings = await observeSurroundings()
  if (surroundings.loadAtStart > 0.5)
    say(`others use this machine (load ${surroundings.loadAtStart.toFixed(2)}): these figures are noise`)
  // Now, so that no round waits for them; if they cannot be had, its rounds will say so.
  await mirrormakerJars().catch((error: unknown) => say(sentenceOf(error)))
  const reports: CaseReport[] = []
  const tell = (endedAt: Date | undefined): string => {
    const pending = wanted.slice(reports.length).map(({ name }) => name)
    const text = writeResults({ settings, surroundings: { ...surroundings, endedAt }, reports, pending })
    // Of some cases only: shown, but no results of a whole run are overwritten.
    if (settings.cases === undefined) replaceFile(RESULTS, text)
    return text
  }
  for (const group of groupByStage(wanted))
    await measureGroup(group, settings, report => {
      reports.push(report)
      tell(undefined)
    })
  const text = tell(new Date())
  say(settings.cases === undefined ? `written to ${RESULTS}` : `\n${text}`)
}

type Group = { readonly kind: StageKind; readonly cases: readonly Case[] }

/** Neighbours that need the same brokers. */
function groupByStage(cases: readonly Case[]): Group[] {
  const groups: { kind: StageKind; cases: Case[] }[] = []
  for (const each of cases) {
    const kind = each.kind === 'copy' ? each.stage : 'pair'
    const last = groups.at(-1)
    if (last?.kind === kind) last.cases.push(each)
    else groups.push({ kind, cases: [each] })
  }
  return groups
}

/** Every case gets a report, whatever fails. */
async function measureGroup(
  { kind, cases }: Group,
  settings: Settings,
  report: (of: CaseReport) => void,
): Promise<void> {
  let stage: Stage | undefined
  for (const each of cases) {
    try {
      stage ??= await startStage(kind)
      say(`${each.name}: ${each.title}`)
      report(await measure(stage, each, settings))
    } catch (error) {
      const failure = sentenceOf(error)
      say(`  failed: ${failure}`)
      report({ kind: 'failed', of: each, failure })
      // Whatever state it is in: the next case gets new brokers.
      killPrograms()
      await closeStage(stage)
      stage = undefined
    }
  }
  await closeStage(stage)
}

async function closeStage(stage: Stage | undefined): Promise<void> {
  await stage?.close().catch((error: unknown) => say(`  its brokers did not end well: ${sentenceOf(error)}`))
}

async function measure(stage: Stage, of: Case, settings: Settings): Promise<CaseReport> {
  switch (of.kind) {
    case 'copy':
      return await measureCopying(stage, of, { settings, say })
    case 'lag':
      return await measureLag(stage, of, { settings, say })
    case 'idle':
      return await measureIdle(stage, of, { settings, say })
    case 'move':
      return await measureMoving(stage, of, { settings, say })
    case 'backup':
      return await measureBackup(stage, of, { settings, say })
    case 'point':
      return await measurePoint(stage, of, { settings, say })
  }
}

async function observeSurroundings(): Promise<Surroundings> {
  const loadAtStart = loadavg()[0] ?? 0
  const { version } = await prepareDistribution(undefined)
  return {
    commit: outputOf('git', [
      '-C',
      fileURLToPath(new URL('.', import.meta.url)),
      'describe',
      '--always',
      '--dirty',
    ]),
    kafkaVersion: version,
    javaVersion: /"(.+?)"/.exec(outputOf(javaTool('java'), ['-version']))?.[1] ?? 'unknown',
    loadAtStart,
    startedAt: new Date(),
    endedAt: undefined,
  }
}

function outputOf(command: string, args: readonly string[]): string {
  try {
    return execFileSync('sh', ['-c', '"$@" 2>&1', 'sh', command, ...args], { encoding: 'utf8' }).trim()
  } catch {
    return 'unknown'
  }
}

/** Whole or not at all: somebody may read it while the bench goes on. */
function replaceFile(path: string, text: string): void {
  writeFileSync(`${path}.new`, text)
  renameSync(`${path}.new`, path)
}

function say(text: string): void {
  if (text !== '') console.log(text)
}

// By way of `exit`, where the brokers and contenders are ended.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(1))
await main()
