// What a lab is made of, in a file of its folder, so that `kdr lab down` and its like work from another process and after
// a crash. A broker is written down as soon as its process exists. Reads and writes are synchronous: within a process
// no change can come between a read and its write.

import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { KdrError } from '../model/errors.ts'
import type { ProcessMark } from './processes.ts'
import type { NodeAddress, Security } from './properties.ts'

export type BrokerRecord = NodeAddress & { readonly process?: ProcessMark }

export type ClusterRecord = {
  readonly name: string
  readonly version: string
  readonly clusterId: string
  readonly security: Security
  readonly classPath: string
  readonly jvm: readonly string[]
  readonly brokers: readonly BrokerRecord[]
}

/** Of the process that holds the lines, and where it can be spoken to: see line-holder.ts. */
export type HolderRecord = { readonly port: number; readonly process?: ProcessMark }

export type LabState = {
  readonly v: 1
  readonly clusters: readonly ClusterRecord[]
  /** Only of a lab that stays when its starter has ended. */
  readonly lines?: HolderRecord
}

const FILE = 'lab.json'
const LINE_LOG = 'lines.log'

export function stateFileOf(dir: string): string {
  return join(dir, FILE)
}

/** Where the process that holds the lines writes what goes wrong. */
export function lineLogOf(dir: string): string {
  return join(dir, LINE_LOG)
}

export function hasLab(dir: string): boolean {
  return existsSync(stateFileOf(dir))
}

export function readState(dir: string): LabState {
  let text: string
  try {
    text = readFileSync(stateFileOf(dir), 'utf8')
  } catch (error) {
    throw new KdrError('usage', `there is no lab in "${dir}"`, {
      hint: 'Start one with `kdr lab up`, or name its folder with `--dir`.',
      cause: error,
    })
  }
  const state = JSON.parse(text) as { readonly v: number }
  if (state.v !== 1) throw new KdrError('newer-version', `"${stateFileOf(dir)}" has version ${state.v}`)
  return state as LabState
}

export function writeState(dir: string, state: LabState): void {
  mkdirSync(dir, { recursive: true })
  const next = `${stateFileOf(dir)}.${process.pid}`
  writeFileSync(next, `${JSON.stringify(state, undefined, 2)}\n`)
  renameSync(next, stateFileOf(dir))
}

export function recordProcess(dir: string, cluster: string, id: number, mark: ProcessMark): void {
  const state = readState(dir)
  const clusters = state.clusters.map(record =>
    record.name !== cluster
      ? record
      : {
          ...record,
          brokers: record.brokers.map(broker => (broker.id === id ? { ...broker, process: mark } : broker)),
        },
  )
  writeState(dir, { ...state, clusters })
}

export function recordHolder(dir: string, lines: HolderRecord): void {
  writeState(dir, { ...readState(dir), lines })
}

export function processesOf({ clusters, lines }: LabState): ProcessMark[] {
  const brokers = clusters.flatMap(each => each.brokers.flatMap(broker => broker.process ?? []))
  return lines?.process === undefined ? brokers : [...brokers, lines.process]
}

/** What the lab has written, and `dir` itself if nothing else is in it. Its processes must have been told to end. */
export function removeFiles(dir: string): void {
  for (const { name } of readState(dir).clusters)
    rmSync(join(dir, name), { recursive: true, force: true, maxRetries: 3 })
  rmSync(lineLogOf(dir), { force: true })
  rmSync(stateFileOf(dir))
  if (readdirSync(dir).length === 0) rmdirSync(dir)
}
