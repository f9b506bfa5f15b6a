// Backups: a topic into a vault in a folder, beside the broker's own follower; restored again, beside a link that copies the same topic;
// and how long it takes to find a point among very many commits.

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { recordCodec } from '../src/kafka/records.ts'
import { readBatchHeader } from '../src/model/batch.ts'
import type { PartitionDelta, Point, SetState } from '../src/model/vault.ts'
import { openFileStore } from '../src/store/files.ts'
import { MemoryStore } from '../src/store/memory.ts'
import { readLatest } from '../src/vault/chain.ts'
import { readPoint } from '../src/vault/point.ts'
import { initVault } from '../src/vault/vault.ts'
import { openSetWriter } from '../src/vault/writer.ts'
import type { BackupCase, PointCase } from './cases.ts'
import { follow, unfollow } from './contenders/follower.ts'
import { KDR } from './contenders/kdr.ts'
import { awaitTarget, cleanTarget } from './copying.ts'
import { makeData, type Made } from './data.ts'
import { median } from './measure.ts'
import { topOfProfiles } from './profile.ts'
import { Program } from './program.ts'
import type { BackupFigures, CaseReport } from './report.ts'
import { type Say, takeTurns } from './rounds.ts'
import type { Settings } from './settings.ts'
import type { Stage } from './stage.ts'

type Options = { readonly settings: Settings; readonly say: Say }

export async function measureBackup(
  stage: Stage,
  of: BackupCase,
  { settings, say }: Options,
): Promise<CaseReport> {
  const data = await makeData(stage, of, settings.sizeMb)
  say(`  ${data.records} records, ${(data.bytes / 1e6).toFixed(0)} MB in the source's logs`)
  const attempts = await takeTurns(
    of.contenders,
    { rounds: settings.rounds, say },
    async (contender, round) => {
      if (contender === 'follower') return await followOnce(stage, data.topic)
      return await kdrOnce({
        stage,
        data,
        name: `${of.name}-${round}`,
        isProfiled: settings.isProfiling,
        say,
      })
    },
  )
  await stage.judge.deleteTopic({ ...stage.sourceAt, topic: data.topic })
  return { kind: 'backup', of, data, attempts }
}

/** From the first byte to the last, as in the cases of backlogs. */
async function followOnce({ judge, source }: Stage, topic: string): Promise<BackupFigures> {
  const job = { judge, cluster: source, topic }
  try {
    const { first, doneAtMs, sum } = await follow(job)
    return { seconds: (doneAtMs - first.atMs) / 1_000 / ((sum - first.sum) / sum) }
  } finally {
    await unfollow(job)
  }
}

type Round = {
  readonly stage: Stage
  readonly data: Made
  readonly name: string
  readonly isProfiled: boolean
  readonly say: Say
}

async function kdrOnce(round: Round): Promise<BackupFigures> {
  const { stage, data, name, isProfiled, say } = round
  const vault = join(stage.dir, `${name}.vault`)
  const profiles = join(stage.dir, `${name}.profiles`)
  const config = writeConfig(round, vault)
  const start = (label: string, ...args: string[]): Program =>
    new Program({
      name: 'kdr',
      command: KDR,
      args: [...args, '--json', '--config', config],
      ...(isProfiled && { env: { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${profiles}` } }),
      logFile: join(stage.dir, `${name}.${label}.log`),
      mode: 'once',
    })
  try {
    await start('init', 'vault', 'init', 'main').finish()
    const backup = start('backup', 'backup', 'run', 'all')
    await backup.finish()
    const made = outputOf<{ ms: number; objects: number; storedBytes: number }>(stage, `${name}.backup`)
    const gb = data.bytes / 1e9
    const backedUp = {
      // The command's own: connecting and the commit included, the start of Node not.
      seconds: made.ms / 1_000,
      cpuSeconds: backup.cpuSeconds(0, Date.now()),
      peakMb: backup.peakMb,
      putsPerGb: made.objects / gb,
      storedMbPerGb: made.storedBytes / 1e6 / gb,
    }
    if (isProfiled) say(topOfProfiles(profiles))
    const restore = start('restore', 'restore', 'all', '--to', 'target', '--yes')
    const restoreSeconds = await untilCopied(stage, data, restore)
    const restored = { restoreSeconds, restorePeakMb: restore.peakMb }
    await cleanTarget(stage, data.topic)
    const link = start('link', 'run', '--once')
    const linkSeconds = await untilCopied(stage, data, link)
    return { ...backedUp, ...restored, linkSeconds }
  } finally {
    await cleanTarget(stage, data.topic)
    await forgetLink(stage)
    rmSync(vault, { recursive: true, force: true })
  }
}

/** Until the target holds all, in a straight line from the first look at which it held something; and the program has ended well. */
async function untilCopied(stage: Stage, { topic, offsets }: Made, program: Program): Promise<number> {
  try {
    const look = { stage, programs: [program], topic }
    const first = await awaitTarget({ ...look, sum: 1 })
    const done = await awaitTarget({ ...look, sum: offsets })
    await program.finish()
    return (done.atMs - first.atMs) / 1_000 / ((offsets - first.sum) / offsets)
  } finally {
    await program.stop()
  }
}

/** What kdr keeps of the link at both ends. */
async function forgetLink({ judge, sourceAt, targetAt }: Stage): Promise<void> {
  for (const at of [sourceAt, targetAt]) {
    const topics = (await judge.listTopics(at)).filter(topic => topic.startsWith('_kdr.'))
    if (topics.length > 0) await judge.deleteTopics({ ...at, topics })
  }
}

/** JSON is YAML. */
function writeConfig({ stage, data, name }: Round, vault: string): string {
  const path = join(stage.dir, `${name}.json`)
  const config = {
    clusters: {
      source: { bootstrap: stage.sourceAt.bootstrap },
      target: { bootstrap: stage.targetAt.bootstrap },
    },
    links: { [name]: { source: 'source', target: 'target', topics: [data.topic] } },
    vaults: { main: { url: pathToFileURL(vault).href } },
    sets: { all: { cluster: 'source', vault: 'main', topics: [data.topic] } },
  }
  writeFileSync(path, JSON.stringify(config))
  return path
}

/** Of the program with that log: its object stands among the lines of its progress. */
function outputOf<T>({ dir }: Stage, label: string): T {
  const text = readFileSync(join(dir, `${label}.log`), 'utf8')
  return JSON.parse(text.slice(text.indexOf('{'), text.lastIndexOf('}') + 1)) as T
}

const START_MS = 1_800_000_000_000
const EVERY_MS = 60_000
const LOOKS = 9

export async function measurePoint(
  stage: Stage,
  of: PointCase,
  { settings, say }: Options,
): Promise<CaseReport> {
  const root = join(stage.dir, of.name)
  await makeCommits(root, of.commits)
  const attempts = await takeTurns(of.contenders, { rounds: settings.rounds, say }, async () => {
    const seconds: number[] = []
    for (let look = 0; look < LOOKS; look++) {
      const at = START_MS + (of.commits * (look + 0.5) * EVERY_MS) / LOOKS
      const point: Point = { kind: 'time', at }
      const startedAt = performance.now()
      const { state } = await readPoint(
        openFileStore(root, () => 'none'),
        'all',
        point,
        recordCodec,
      )
      seconds.push((performance.now() - startedAt) / 1_000)
      if (Date.parse(state.endsAt) > at) throw new Error(`commit ${state.number} is later than its point`)
    }
    return { pointSeconds: median(seconds), slowestPointSeconds: Math.max(...seconds) }
  })
  return { kind: 'point', of, attempts }
}

/** A commit a minute, each with one record, put down as files without the care that a vault takes: nobody depends on them. */
async function makeCommits(root: string, commits: number): Promise<void> {
  const store = new MemoryStore()
  await initVault(store, { vault: 'bench', createdAt: new Date(START_MS).toISOString(), by: 'bench' })
  const topicId = '00000000-0000-4000-8000-000000000001'
  let count = 0
  let known: SetState | undefined
  for (let number = 1; number <= commits; number++) {
    const at = START_MS + number * EVERY_MS
    const options = { store, set: 'all', by: 'bench', unique: () => `b${count++}`, now: () => at, known }
    const writer = await openSetWriter({ ...options, compression: 'none' })
    const bytes = recordCodec.encode({
      codec: 'none',
      baseOffset: number - 1,
      records: [{ offset: number - 1, timestamp: at, key: null, value: Buffer.from('v'), headers: [] }],
    })
    const batches = [{ bytes, header: readBatchHeader(bytes) }]
    const part = writer.open({ topic: 't', topicId, partition: 0 })
    await part.add(batches, [])
    const segment = await part.close()
    const delta: PartitionDelta = {
      partition: 0,
      start: Math.max(0, number - KEPT),
      end: number,
      segments: [segment],
    }
    const time = new Date(at).toISOString()
    await writer.commit({
      groupsAt: time,
      endsAt: time,
      cluster: { name: 'source', id: 'bench' },
      topics: [{ name: 't', id: topicId, replicationFactor: 1, configs: {}, count: 1, partitions: [delta] }],
      topicsGone: [],
      groups: [],
      groupsGone: [],
      rights: null,
      notes: [],
    })
    known = await readLatest(store, 'all', known ?? writer.state)
  }
  for (const [name, bytes] of store.objects) {
    mkdirSync(dirname(join(root, name)), { recursive: true })
    writeFileSync(join(root, name), bytes)
  }
}

/** Retention of the source: a log that only grows would make ten thousand checkpoints of it. */
const KEPT = 500
