// The lines of a lab that outlives the command which started it: a process of its own holds them, since bytes must be passed on
// whatever the user runs. It ends with the lab.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { KdrError } from '../model/errors.ts'
import { type Line, openLine } from './line.ts'
import { askHolder, type Cut, type LineChanges, type LineRequest, type LineView } from './line-control.ts'
import { markProcess, type ProcessMark, processState } from './processes.ts'
import { hasLab, type LabState, lineLogOf, readState, recordHolder } from './state.ts'

const START_TIMEOUT_MS = 10_000
const LOOK_AFTER_LAB_MS = 2_000

/**
 * Sees to it that the lab's lines are held, and changes those of a cluster. `program`: the script of kdr, which is run as
 * `kdr lab hold-lines`. Throws KdrError('usage') for a lab without lines.
 */
export async function changeLines(dir: string, program: string, request: LineRequest): Promise<LineView[]> {
  return await askHolder(await ensureHolder(dir, program), request)
}

/** Resolves with the port of the process that holds the lines, started if it does not run. */
export async function ensureHolder(dir: string, program: string): Promise<number> {
  const { lines } = readState(dir)
  if (lines === undefined) {
    throw new KdrError('usage', `the lab in "${dir}" has no lines`, {
      hint: 'It was started by an older kdr: `kdr lab down`, then `kdr lab up`.',
    })
  }
  if (lines.process === undefined || processState(lines.process) === 'gone') {
    const mark = startHolder(dir, program)
    recordHolder(dir, { ...lines, process: mark })
    await waitUntilHeld(dir, lines.port, mark)
  }
  return lines.port
}

function startHolder(dir: string, program: string): ProcessMark {
  const log = openSync(lineLogOf(dir), 'a')
  try {
    const args = [...process.execArgv, program, 'lab', 'hold-lines', '--dir', dir]
    const child = spawn(process.execPath, args, { detached: true, stdio: ['ignore', log, log] })
    if (child.pid === undefined) throw new KdrError('not-ready', 'the lines of the lab cannot be held')
    child.unref()
    return markProcess(child.pid)
  } finally {
    closeSync(log)
  }
}

async function waitUntilHeld(dir: string, port: number, mark: ProcessMark): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS
  for (;;) {
    const isHeld = await askHolder(port, { cluster: '', brokers: [], changes: {} }).then(
      () => true,
      () => false,
    )
    if (isHeld) return
    if (processState(mark) === 'gone' || performance.now() > deadline)
      throw new KdrError('not-ready', `the lines of the lab are not held; see "${lineLogOf(dir)}"`)
    await sleep(20)
  }
}

/** Holds the lines of the lab in `dir` for as long as it is there. */
export async function holdLines(dir: string): Promise<void> {
  const state = readState(dir)
  if (state.lines === undefined) return
  const held = await openAll(state)
  const server = createServer(socket => void serve(socket, held))
  server.listen({ port: state.lines.port, host: '127.0.0.1', exclusive: true })
  await once(server, 'listening')
  while (hasLab(dir)) await sleep(LOOK_AFTER_LAB_MS)
  server.close()
  await Promise.all(held.map(async ({ line }) => await line.close()))
}

type Held = { readonly cluster: string; readonly id: number; readonly line: Line; view: LineView }

async function openAll({ clusters }: LabState): Promise<Held[]> {
  const brokers = clusters.flatMap(({ name, brokers }) =>
    brokers.map(broker => ({ ...broker, cluster: name })),
  )
  return await Promise.all(
    brokers.flatMap(({ cluster, id, line: at }) =>
      at === undefined
        ? []
        : [
            openLine({ port: at.advertisedPort, to: { host: '127.0.0.1', port: at.port } }).then(
              (line): Held => ({ cluster, id, line, view: clearView(cluster, id) }),
            ),
          ],
    ),
  )
}

const clearView = (cluster: string, id: number): LineView => ({
  cluster,
  id,
  delayMs: 0,
  windowBytes: undefined,
  cut: undefined,
})

async function serve(socket: Socket, held: readonly Held[]): Promise<void> {
  socket.on('error', () => socket.destroy())
  for await (const text of createInterface({ input: socket })) {
    const { cluster, brokers, changes } = JSON.parse(text) as LineRequest
    const meant = held.filter(each => each.cluster === cluster && (brokers?.includes(each.id) ?? true))
    for (const each of meant) change(each, changes)
    socket.end(`${JSON.stringify(meant.map(({ view }) => view))}\n`)
  }
}

function change(held: Held, { heals = false, delayMs, windowBytes, cut }: LineChanges): void {
  const { line, cluster, id } = held
  if (heals) held.view = clearView(cluster, id)
  held.view = {
    ...held.view,
    ...(delayMs !== undefined && { delayMs }),
    ...(windowBytes !== undefined && { windowBytes }),
    ...(cut !== undefined && { cut }),
  }
  line.shape({ delayMs: held.view.delayMs, windowBytes: held.view.windowBytes ?? Infinity })
  if (heals || cut !== undefined) line.heal()
  if (held.view.cut !== undefined) line.cut(directionOf(held.view.cut))
}

const directionOf = (cut: Cut): 'down' | undefined => (cut === 'answers' ? 'down' : undefined)
