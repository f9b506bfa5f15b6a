// kdr status --watch: looks at everything again and again, and shows what was seen. A round never waits for what takes longer than it:
// the old picture stays, with its age. Only reads.
import type { Config, LinkConfig, SetConfig } from '../../../config/index.ts'
import type { CheckReport } from '../../../engine/check/check.ts'
import type { Severity } from '../../../model/findings.ts'
import type { RunSummary } from '../../../model/runs.ts'
import type { SetStatus } from '../../../model/set-status.ts'
import { type App, writeJsonLine } from '../../app.ts'
import { type LinkStanding, readStanding } from '../standing.ts'
import { styleOf } from '../../table.ts'
import { History } from './history.ts'
import { watchPage, type WatchView } from './page.ts'
import { Poll, type Seen } from './poll.ts'
import { Screen } from './screen.ts'

const ROUND_MS = 2_000
/** Runs are rare, and their journals are topics of their own. */
const RUNS_EVERY_MS = 10_000
/** Requests to a bucket cost money. */
const SETS_EVERY_MS = 60_000
/** Every broker is asked, and every vault. */
const CHECK_EVERY_MS = 300_000
/** `q`, and Ctrl-C, which is a key while keys are listened to. */
const ENDING_KEYS = ['q', 'Q', '\u0003']

export type WatchOptions = {
  readonly config: Config
  readonly links: readonly LinkConfig[]
  readonly sets: readonly SetConfig[]
  /** All of the config, so that it is checked too. */
  readonly isWhole: boolean
  /** One object a line and round, and no page. */
  readonly isLines: boolean
}

/** Ends when it is told to. */
export async function watch(app: App, options: WatchOptions): Promise<void> {
  const ended = new AbortController()
  const signal = AbortSignal.any([app.signal, ended.signal])
  const eyes = openEyes(app, options)
  if (options.isLines) return await rounds(app, eyes, signal, () => writeJsonLine(app, objectOf(eyes.view())))
  const style = styleOf(app.stdout, app.env)
  const stopListening = app.onKey(key => {
    if (ENDING_KEYS.includes(key)) ended.abort()
  })
  const screen = new Screen(app.stdout)
  try {
    await rounds(app, eyes, signal, () => screen.draw(watchPage(eyes.view(), screen.size, style)))
  } finally {
    screen.close()
    stopListening()
  }
}

/** `show` after each round, at once after the first look. */
async function rounds({ clock }: App, eyes: Eyes, signal: AbortSignal, show: () => void): Promise<void> {
  while (!signal.aborted) {
    const endsAt = clock.monotonic() + ROUND_MS
    const looked = new AbortController()
    const looks = eyes.look().then(() => looked.abort())
    await Promise.race([looks, clock.sleep(ROUND_MS, AbortSignal.any([signal, looked.signal]))])
    if (signal.aborted) return
    show()
    await clock.sleep(Math.max(0, endsAt - clock.monotonic()), signal)
  }
}

type Eyes = { readonly look: () => Promise<unknown>; readonly view: () => WatchView }

function openEyes(app: App, { config, links, sets, isWhole }: WatchOptions): Eyes {
  const { clock, services, signal } = app
  const history = new History()
  const linkPolls = links.map(
    link =>
      new Poll<LinkStanding>({
        name: link.name,
        everyMs: ROUND_MS,
        clock,
        read: async () => await readStanding(app, config, link),
        onSeen: ({ rpoMs }, at) => history.add(link.name, { at, ms: rpoMs }),
      }),
  )
  const setPolls = sets.map(
    set =>
      new Poll<SetStatus>({
        name: set.name,
        everyMs: SETS_EVERY_MS,
        clock,
        read: async () => await services.readSetStatus(config, set),
      }),
  )
  const runPoll = new Poll<readonly RunSummary[]>({
    name: 'runs',
    everyMs: RUNS_EVERY_MS,
    clock,
    read: async () => await services.listRuns(config),
  })
  const checkPoll = new Poll<CheckReport>({
    name: 'check',
    everyMs: CHECK_EVERY_MS,
    clock,
    read: async () =>
      await services.check(config, {
        clusters: [],
        links: [],
        compare: undefined,
        producers: false,
        signal,
      }),
  })
  const polls = [...linkPolls, ...setPolls, runPoll, ...(isWhole ? [checkPoll] : [])]
  return {
    look: async () => await Promise.all(polls.map(async poll => await poll.begin())),
    view: () => ({
      now: clock.now(),
      links: linkPolls.map(poll => poll.seen),
      history: name => history.of(name),
      runs: runPoll.seen,
      sets: setPolls.map(poll => poll.seen),
      check: isWhole ? checkPoll.seen : undefined,
    }),
  }
}

/** What `kdr status --json` has, as far as it was seen, with the runs that are not over. */
function objectOf({ now, links, sets, runs, check }: WatchView): Record<string, unknown> {
  const asObject = <T extends object>({ value, at }: Seen<T>): object[] =>
    value === undefined ? [] : [{ ...value, seenAt: new Date(at).toISOString() }]
  const notSeen = [
    ...links.map(seen => ({ what: `link:${seen.name}`, seen })),
    ...sets.map(seen => ({ what: `set:${seen.name}`, seen })),
    { what: 'runs', seen: runs },
    ...(check === undefined ? [] : [{ what: 'check', seen: check }]),
  ].flatMap(({ what, seen: { problem } }) => (problem === undefined ? [] : [{ what, problem }]))
  return {
    at: new Date(now).toISOString(),
    links: links.flatMap(asObject),
    sets: sets.flatMap(asObject),
    runs: (runs.value ?? []).filter(({ state }) => state !== 'done' && state !== 'aborted'),
    ...(check?.value !== undefined && {
      check: { ...verdictOf(check.value), seenAt: new Date(check.at).toISOString() },
    }),
    notSeen,
  }
}

/** `kdr check --json` has all of it. */
function verdictOf({ ready, findings }: CheckReport): Record<string, unknown> {
  const count = (of: Severity): number => findings.filter(({ severity }) => severity === of).length
  const [worst] = findings
  return {
    ready,
    errors: count('error'),
    warnings: count('warning'),
    worst: worst === undefined ? null : { id: worst.id, where: worst.where, message: worst.message },
  }
}
