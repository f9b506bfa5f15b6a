// An App for tests of commands: no process, no terminal, no cluster; what is written can be read back.

import type { App, Writer } from '../../src/cli/app.ts'
import { runCli } from '../../src/cli/run-cli.ts'
import { loadConfig } from '../../src/config/index.ts'
import { KdrError } from '../../src/model/errors.ts'
import { chooseLinks } from '../../src/wiring/choose-links.ts'

export type CliResult = { readonly exit: number; readonly stdout: string; readonly stderr: string }

export function makeTestApp(
  changes: Partial<App> = {},
): App & { readonly written: { stdout: string; stderr: string } } {
  const written = { stdout: '', stderr: '' }
  const writer = (name: 'stdout' | 'stderr'): Writer => ({
    write: text => {
      written[name] += text
    },
    isTerminal: false,
    columns: undefined,
  })
  return {
    written,
    version: '1.2.3',
    stdout: writer('stdout'),
    stderr: writer('stderr'),
    // As on a terminal: that lines are JSON elsewhere is tested where that is done.
    env: { KDR_LOG_FORMAT: 'text' },
    clock: { now: () => 0, monotonic: () => 0, sleep: () => Promise.resolve() },
    signal: new AbortController().signal,
    services: {
      inspectCluster: ({ name }) =>
        Promise.reject(new KdrError('unreachable', `no broker answers at "${name}"`)),
      describeCluster: (_config, name) =>
        Promise.reject(new KdrError('unreachable', `no broker answers at "${name}"`)),
      chooseLinks,
      startLink: (_config, link) =>
        Promise.reject(new KdrError('unreachable', `no broker answers at "${link.source}"`)),
      serve: () => Promise.resolve({ close: () => Promise.resolve() }),
      alertChannels: {
        request: () => Promise.reject(new KdrError('unreachable', 'it cannot be reached')),
        run: () => Promise.reject(new KdrError('not-ready', 'it ended with 1')),
      },
      watchCluster: () =>
        Promise.resolve({
          sight: undefined,
          run: async signal => {
            if (!signal.aborted)
              await new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }))
          },
        }),
      check: () => Promise.reject(new KdrError('unreachable', 'no broker answers')),
      probeCluster: () => Promise.reject(new KdrError('unreachable', 'no broker answers')),
      fixFindings: () => Promise.reject(new KdrError('unreachable', 'no broker answers')),
      readLinkStatus: (_config, link) =>
        Promise.reject(new KdrError('unreachable', `no broker answers at "${link.target}"`)),
      withLink: (_config, link) =>
        Promise.reject(new KdrError('unreachable', `no broker answers at "${link.target}"`)),
      withMemory: (_config, link) =>
        Promise.reject(new KdrError('unreachable', `no broker answers at "${link.target}"`)),
      withRun: (_config, link) =>
        Promise.reject(new KdrError('unreachable', `no broker answers at "${link.target}"`)),
      withPlanRun: (_config, plan) =>
        Promise.reject(new KdrError('unreachable', `no broker answers for "${plan.name}"`)),
      withFollow: (_config, link) =>
        Promise.reject(new KdrError('unreachable', `no broker answers at "${link.target}"`)),
      withHandOver: (_config, { from }) =>
        Promise.reject(new KdrError('unreachable', `no broker answers at "${from.target}"`)),
      readPlanRun: () => Promise.resolve(undefined),
      abortPlanRun: () => Promise.resolve(undefined),
      withReplay: (_config, run) => Promise.reject(new KdrError('usage', `there is no run "${run}"`)),
      isAtHome: () => Promise.resolve(false),
      listRuns: () => Promise.resolve([]),
      readRun: (_config, run) => Promise.reject(new KdrError('usage', `there is no run "${run}"`)),
      withVault: (_config, vault) => Promise.reject(new KdrError('usage', `there is no vault "${vault}"`)),
      withSet: (_config, set) => Promise.reject(new KdrError('usage', `there is no set "${set}"`)),
      readSetStatus: (_config, { name }) =>
        Promise.reject(new KdrError('usage', `there is no set "${name}"`)),
      followSet: (_config, { name }) => Promise.reject(new KdrError('usage', `there is no set "${name}"`)),
      withRestore: (_config, { set }) => Promise.reject(new KdrError('usage', `there is no set "${set}"`)),
      abortRun: (_config, run) => Promise.reject(new KdrError('usage', `there is no run "${run}"`)),
    },
    loadConfig,
    ask: () => Promise.resolve(undefined),
    onKey: () => () => {},
    onReload: () => {},
    exit: 0,
    ...changes,
  }
}

export async function runForTest(argv: readonly string[], changes: Partial<App> = {}): Promise<CliResult> {
  const app = makeTestApp(changes)
  const exit = await runCli(argv, app)
  return { exit, ...app.written }
}
