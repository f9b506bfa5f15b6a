// `make bench`: how fast `kdr run --once` copies a backlog between two brokers of this machine. Whole processes, from
// outside: start to exit, CPU of the kdr process, and its largest memory. CASE=plain,zstd ROUNDS=3 SIZE_MB=500 choose.
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { formatTable } from '../src/cli/table.ts'
import { type Judge, startJudge } from '../src/lab/judge.ts'
import { type Lab, startLab } from '../src/lab/lab.ts'

type Case = {
  readonly name: string
  readonly compression: 'none' | 'lz4' | 'zstd'
  readonly recordBytes: number
  /** Of the producer: what a batch holds. */
  readonly batchBytes: number
  readonly partitions: number
}

const CASES: readonly Case[] = [
  { name: 'plain', compression: 'none', recordBytes: 1_000, batchBytes: 256 * 1024, partitions: 6 },
  { name: 'lz4', compression: 'lz4', recordBytes: 200, batchBytes: 256 * 1024, partitions: 6 },
  { name: 'zstd', compression: 'zstd', recordBytes: 200, batchBytes: 256 * 1024, partitions: 6 },
  { name: 'batches-16k', compression: 'none', recordBytes: 1_000, batchBytes: 16 * 1024, partitions: 6 },
]

type Figures = {
  readonly seconds: number
  readonly cpuSeconds: number
  readonly peakMb: number
  readonly bytes: number
}

const kdr = fileURLToPath(new URL('../kdr', import.meta.url))
const rounds = Number(process.env['ROUNDS'] ?? 3)
const sizeMb = Number(process.env['SIZE_MB'] ?? 400)
const wanted = (process.env['CASE'] ?? CASES.map(each => each.name).join(',')).split(',')
/** Linux counts CPU time in ticks of 10 ms. */
const TICKS_PER_SECOND = 100

async function main(): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'kdr-bench-'))
  const lab = await startLab({ dir, clusters: [{ name: 'east' }, { name: 'west' }] })
  const judge = await startJudge()
  try {
    console.log(
      `${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}, Node ${process.version}, ${sizeMb} MB a case, ${rounds} rounds, medians`,
    )
    const rows: string[][] = []
    for (const each of CASES.filter(({ name }) => wanted.includes(name)))
      rows.push(await measure(lab, judge, dir, each))
    const titles = ['CASE', 'SECONDS', 'MB/s', 'CPU-s/GB', 'PEAK MB', 'SPREAD s']
    process.stdout.write(
      formatTable(
        titles.map((title, i) => ({ title, align: i === 0 ? 'left' : 'right' })),
        rows,
      ),
    )
  } finally {
    await judge.close()
    await lab.down()
  }
}

async function measure(lab: Lab, judge: Judge, dir: string, of: Case): Promise<string[]> {
  const source = { bootstrap: lab.cluster('east').bootstrap }
  const topic = `bench-${of.name}`
  await judge.createTopic({ ...source, topic, partitions: of.partitions })
  const count = Math.floor((sizeMb * 1_000_000) / of.recordBytes)
  await judge.produce({
    ...source,
    topic,
    count,
    sizeBytes: of.recordBytes,
    compression: of.compression,
    batchBytes: of.batchBytes,
    lingerMs: 20,
  })
  const figures: Figures[] = []
  for (let round = 0; round < rounds; round++) {
    const config = join(dir, `${of.name}-${round}.yaml`)
    writeFileSync(
      config,
      `clusters:\n  east: { bootstrap: "${source.bootstrap}" }\n  west: { bootstrap: "${lab.cluster('west').bootstrap}" }\n` +
        `links:\n  ${of.name}-${round}: { source: east, target: west, topics: [${topic}] }\n`,
    )
    figures.push(await once(config))
    await judge.deleteTopic({ bootstrap: lab.cluster('west').bootstrap, topic })
  }
  const bytes = median(figures.map(figure => figure.bytes))
  const seconds = median(figures.map(figure => figure.seconds))
  const all = figures.map(figure => figure.seconds)
  return [
    of.name,
    seconds.toFixed(1),
    (bytes / seconds / 1e6).toFixed(0),
    ((median(figures.map(figure => figure.cpuSeconds)) / bytes) * 1e9).toFixed(1),
    median(figures.map(figure => figure.peakMb)).toFixed(0),
    `${Math.min(...all).toFixed(1)}-${Math.max(...all).toFixed(1)}`,
  ]
}

/** One whole `kdr run --once`; its CPU and memory as the kernel counts them, read until it ends. */
async function once(config: string): Promise<Figures> {
  const startedAt = performance.now()
  const child = spawn(kdr, ['run', '--once', '--json', '--config', config], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString()
  })
  let cpuSeconds = 0
  let peakMb = 0
  const watch = setInterval(() => {
    try {
      const fields =
        readFileSync(`/proc/${String(child.pid)}/stat`, 'utf8')
          .split(') ')[1]
          ?.split(' ') ?? []
      cpuSeconds = (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
      peakMb =
        Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${String(child.pid)}/status`, 'utf8'))?.[1] ?? 0) /
        1024
    } catch {
      // It has just ended: the figures of the last look stand.
    }
  }, 50)
  const exit = await new Promise<number | null>(resolve => child.on('close', resolve))
  clearInterval(watch)
  if (exit !== 0) throw new Error(`kdr run --once ended with ${String(exit)}: ${output}`)
  const result = JSON.parse(output) as { links: { bytes: number }[] }
  return {
    seconds: (performance.now() - startedAt) / 1_000,
    cpuSeconds,
    peakMb,
    bytes: result.links[0]?.bytes ?? 0,
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}

await main()
