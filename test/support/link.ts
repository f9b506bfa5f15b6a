// A link between two lab clusters, run by the real program: a config in a folder of its own, `./kdr` as a child process
// that can be awaited, signalled and killed, and commands within this process.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { LAB_USERS, type LabCluster } from '../../src/lab/lab.ts'
import { EVERY, grantsFor, type Role, type Scenario } from '../../src/model/needed-rights.ts'
import { services } from '../../src/wiring/services.ts'
import { systemClock } from '../../src/wiring/system.ts'
import { runForTest } from './app.ts'
import { type Acl, type At, type Comparison, type Judge, saslOf } from './judge.ts'
import type { Inside } from './inside-kdr.ts'
import { patience, waitFor } from './lab.ts'

const KDR = fileURLToPath(new URL('../../kdr', import.meta.url))
const INSIDE_KDR = new URL('inside-kdr.ts', import.meta.url).href

/** What tests look for in the log are its sentences. */
const LOG_AS_TEXT = { KDR_LOG_FORMAT: 'text' }

export type User = { readonly username: string; readonly password: string }
export const KDR_USER: User = { username: 'kdr', password: LAB_USERS.kdr }

/** A cluster of the config: one of the lab, or an address. `login`: its `tls` and `sasl`. */
export type Side = Pick<LabCluster, 'name' | 'bootstrap'> & {
  readonly security?: LabCluster['security']
  readonly login?: Readonly<Record<string, unknown>>
}

export type LinkSpec = {
  /** Default `link`. */
  readonly name?: string
  readonly source: Side
  readonly target: Side
  /** For lab clusters with `security: 'acl'`; default KDR_USER. */
  readonly user?: User
  /** What is done to the kdr processes of the link from the inside: see inside-kdr.ts. */
  readonly inside?: Inside
  /** More keys of the link. */
  readonly settings?: Readonly<Record<string, unknown>>
  /** `server:` of the config. */
  readonly server?: Readonly<Record<string, unknown>>
  /** More keys of the config: `alerts`, `objectives`. */
  readonly config?: Readonly<Record<string, unknown>>
}

/** `code`: null when a signal ended it. `stdout` and `stderr` are whole only after `ended`. */
export interface KdrProcess {
  readonly pid: number
  readonly stdout: string
  readonly stderr: string
  readonly ended: Promise<KdrResult>
  readonly hasEnded: boolean
  signal(name: NodeJS.Signals): void
  /** Resolves at the first match in what is and will be written to stderr; rejects when the process ends before. */
  says(pattern: RegExp, timeoutMs?: number): Promise<void>
}

export type KdrResult = {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  readonly ms: number
}

export interface Link {
  readonly name: string
  readonly config: string
  /** Writes the config again, with other settings of the link. A running program takes them up at SIGHUP. */
  configure(settings: LinkSpec['settings']): void
  /** For what runs too: it is read each time. */
  tellInside(how: Inside): void
  /** `kdr ... --config CONFIG` as a process, not awaited. */
  start(...args: string[]): KdrProcess
  /**
   * The same to its end, and within this process: a process takes more than a second of CPU to start, and tests run
   * hundreds of commands. (With `inside` it is one all the same.)
   */
  run(...args: string[]): Promise<KdrResult>
  /** `run` with --json, parsed. */
  json(...args: string[]): Promise<{ code: number | null; object: Record<string, unknown>; stderr: string }>
}

const running = new Set<ChildProcess>()
const folders: string[] = []

/** What a failed test has left. (A hook of the test runner would belong to the test or hook that made the link.) */
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

export function makeLink(spec: LinkSpec): Link {
  const { name = 'link' } = spec
  const dir = mkdtempSync(join(tmpdir(), 'kdr-link-'))
  folders.push(dir)
  const config = join(dir, 'kdr.yaml')
  writeFileSync(config, configText({ ...spec, name }))
  const inside = join(dir, 'inside.json')
  // At once: it is read in the middle of things.
  const tellInside = (how: Inside) => {
    writeFileSync(`${inside}.new`, JSON.stringify(how))
    renameSync(`${inside}.new`, inside)
  }
  if (spec.inside !== undefined) tellInside(spec.inside)
  const env =
    spec.inside === undefined ? {} : { KDR_TEST_INSIDE: inside, NODE_OPTIONS: `--import=${INSIDE_KDR}` }
  const start = (...args: string[]) => startKdr([...args, '--config', config], env)
  const run = async (...args: string[]) =>
    spec.inside === undefined ? await runKdrHere([...args, '--config', config]) : await start(...args).ended
  return {
    name,
    config,
    configure: settings => writeFileSync(config, configText({ ...spec, name, settings: settings ?? {} })),
    tellInside,
    start,
    run,
    json: async (...args) => {
      const { code, stdout, stderr } = await run(...args, '--json')
      return { code, object: JSON.parse(stdout) as Record<string, unknown>, stderr }
    },
  }
}

/** JSON is YAML. */
function configText({
  name = 'link',
  source,
  target,
  user = KDR_USER,
  settings,
  server,
  config,
}: LinkSpec): string {
  const clusters: Record<string, unknown> = {}
  for (const side of [source, target]) {
    const isSecured = side.security === 'acl'
    clusters[side.name] = {
      bootstrap: side.bootstrap,
      ...(isSecured && { sasl: { mechanism: 'plain', ...user } }),
      ...side.login,
    }
  }
  const links = { [name]: { source: source.name, target: target.name, ...settings } }
  return JSON.stringify({ clusters, links, ...(server !== undefined && { server }), ...config }, undefined, 2)
}

/** A command to its end, as main.ts runs it, without a process of its own. */
export async function runKdrHere(args: readonly string[]): Promise<KdrResult> {
  const startedAt = performance.now()
  const env = { ...LOG_AS_TEXT, ...process.env }
  const { exit, stdout, stderr } = await runForTest(args, { services, env, clock: systemClock })
  return { code: exit, stdout, stderr, ms: performance.now() - startedAt }
}

/** `program`: the launcher, of this checkout unless told otherwise. */
export function startKdr(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  program = KDR,
): KdrProcess {
  const startedAt = performance.now()
  // The launcher replaces itself with Node, so this is kdr's own process id.
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...LOG_AS_TEXT, ...process.env, ...env },
  })
  running.add(child)
  // One that a failed test has left must not keep this process alive: it is killed when this one ends.
  child.unref()
  for (const stream of [child.stdout, child.stderr]) (stream as Socket).unref()
  const written = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => {
      written[name] += text
    })
  let hasEnded = false
  const ended = once(child, 'close').then(([code]) => {
    hasEnded = true
    running.delete(child)
    return { code: code as number | null, ...written, ms: performance.now() - startedAt }
  })
  return {
    get pid() {
      return child.pid ?? 0
    },
    get stdout() {
      return written.stdout
    },
    get stderr() {
      return written.stderr
    },
    ended,
    get hasEnded() {
      return hasEnded
    },
    signal: name => void child.kill(name),
    says: async (pattern, timeoutMs = 60_000) => {
      await waitFor(
        () => {
          if (pattern.test(written.stderr)) return true
          if (hasEnded) throw new Error(`kdr ended before it said ${pattern}:\n${written.stderr}`)
          return false
        },
        { what: () => `kdr to say ${pattern}; it said:\n${written.stderr}`, timeoutMs },
      )
    },
  }
}

/** Runs `act` while `kdr run` mirrors; SIGTERM and a clean end afterwards. Returns what the daemon wrote. */
export async function whileRunning(
  link: Link,
  act: (daemon: KdrProcess) => Promise<void>,
): Promise<KdrResult> {
  const daemon = link.start('run', '-v')
  try {
    await daemon.says(/→/)
    await act(daemon)
    daemon.signal('SIGTERM')
    return await daemon.ended
  } finally {
    daemon.signal('SIGKILL')
  }
}

/** `act` happens while `kdr run` mirrors; it is killed afterwards. */
export async function withDaemon(own: Link, act: (running: KdrProcess) => Promise<void>): Promise<void> {
  const running = own.start('run', '-v')
  try {
    await running.says(/behind/)
    await act(running)
  } catch (error) {
    console.error(`the end of what kdr said:\n${running.stderr.slice(-3000)}`)
    throw error
  } finally {
    running.signal('SIGKILL')
  }
}

/** As an admin, for the judge. */
export function adminOf(cluster: LabCluster): At {
  return cluster.security === 'acl'
    ? { bootstrap: cluster.bootstrap, properties: saslOf('admin', LAB_USERS.admin) }
    : { bootstrap: cluster.bootstrap }
}

/** What kdr needs to be that, by the table that `kdr config acls` prints from; only for `scenarios` where they are given. */
export function aclsFor(
  roles: readonly Role[],
  {
    hasClusterRights = true,
    scenarios,
    principal = 'User:kdr',
  }: {
    readonly hasClusterRights?: boolean
    readonly scenarios?: readonly Scenario[]
    readonly principal?: string
  } = {},
): Acl[] {
  const scope = {
    roles,
    topics: [EVERY],
    groups: [EVERY],
    ownNames: [{ pattern: 'PREFIXED', name: '_kdr.' }],
  }
  return grantsFor([scope], hasClusterRights)
    .filter(grant => scenarios === undefined || grant.scenarios.some(each => scenarios.includes(each)))
    .map(({ type, pattern, name, operation }) => ({ type, pattern, name, principal, operation }) as Acl)
}

/** What copying needs at a source: nothing that writes. */
export const SOURCE_ACLS: readonly Acl[] = aclsFor(['source'], {
  scenarios: ['records', 'configs', 'groups'],
})

/** What it needs at a target where it may not alter the cluster. */
export const BARE_TARGET_ACLS: readonly Acl[] = aclsFor(['target'], { hasClusterRights: false }).filter(
  ({ type, operation }) => type !== 'GROUP' || operation !== 'DELETE',
)

/** Makes it a target with cluster rights (Kafka 3.8 or later). */
export const MARKER_ACL: Acl = { type: 'CLUSTER', principal: 'User:kdr', operation: 'ALTER' }
/** The same before 3.8. */
export const OLD_MARKER_ACL: Acl = { type: 'CLUSTER', principal: 'User:kdr', operation: 'CLUSTER_ACTION' }

/** Fails with the partitions that differ and how. */
export async function assertIdentical(
  judge: Judge,
  sides: { readonly source: LabCluster; readonly target: LabCluster },
  topics: readonly string[],
): Promise<Comparison> {
  const comparison = await judge.compare({ a: adminOf(sides.source), b: adminOf(sides.target), topics })
  const wrong = comparison.partitions.filter(partition => !partition.identical)
  if (wrong.length === 0) return comparison
  throw new Error(
    `${wrong.length} of ${comparison.partitions.length} partitions differ:\n${wrong.map(each => JSON.stringify(each)).join('\n')}`,
  )
}

/** Waits until the mirror ends and begins where the source does, then compares. */
export async function untilIdentical(
  judge: Judge,
  sides: { readonly source: LabCluster; readonly target: LabCluster },
  topic: string,
): Promise<void> {
  const ends = async (cluster: LabCluster) =>
    (await judge.ends({ ...adminOf(cluster), topics: [topic] }))
      .map(([, partition, end]) => `${partition}: ${end}`)
      .toSorted()
      .join(', ')
  const logStarts = async (cluster: LabCluster) =>
    (await judge.digest({ ...adminOf(cluster), topic })).map(({ logStart }) => logStart).join()
  for (const [look, what] of [
    [ends, 'ends'],
    [logStarts, 'log starts'],
  ] as const) {
    const wanted = await look(sides.source)
    let seen = ''
    await waitFor(
      async () => {
        // The mirror may be made anew at this moment.
        seen = await look(sides.target).catch(() => 'nothing')
        return seen === wanted
      },
      {
        what: () => `the ${what} of the mirror of "${topic}" to be ${wanted}; they are ${seen}`,
        everyMs: 100,
        timeoutMs: patience(90_000),
      },
    )
  }
  await assertIdentical(judge, sides, [topic])
}
