// What is waited for before a link: a person, a command, a time. A gate that was passed stays passed.
import { assertNever, KdrError } from '../../model/errors.ts'
import type { Gate, GateStep } from '../../model/plan-runs.ts'
import type { PlanWorld } from './world.ts'

const DAY_MS = 86_400_000

/** When it opens by itself, ms since 1970; undefined: it takes more than time. `from`: when what comes before it had ended. */
export function openingOf(gate: Gate, from: number, now: number): number | undefined {
  if (gate.kind === 'wait') return from + gate.ms
  if (gate.kind !== 'at') return undefined
  if (gate.at.includes('T')) return Date.parse(gate.at)
  const [hour = 0, minute = 0] = gate.at.split(':').map(Number)
  const today = Math.floor(now / DAY_MS) * DAY_MS + (hour * 60 + minute) * 60_000
  return today >= now ? today : today + DAY_MS
}

/** Resolves with what let it pass. Throws KdrError with what did not. `isAnswered`: whoever has resumed the run has said yes. */
export async function pass(
  gate: Gate,
  step: GateStep,
  { isAnswered, world }: { readonly isAnswered: boolean; readonly world: PlanWorld },
): Promise<string> {
  switch (gate.kind) {
    case 'ask':
      return await askFor(gate.question, { isAnswered, world })
    case 'command': {
      const { code, output } = await world.command(gate.command, step)
      if (code === 0)
        return output === '' ? 'its command ended with 0' : `its command ended with 0: ${output}`
      throw new KdrError(
        'not-ready',
        `the command of the gate before "${step.link}" ended with ${code}${output === '' ? '' : `: ${output}`}`,
      )
    }
    case 'wait':
    case 'at':
      return await waitUntil(step, world)
    default:
      return assertNever(gate)
  }
}

async function askFor(
  question: string,
  { isAnswered, world }: { readonly isAnswered: boolean; readonly world: PlanWorld },
): Promise<string> {
  if (isAnswered) return `whoever has resumed the run says yes to: ${question}`
  const answer = await world.ask(question)
  if (answer === true) return `yes: ${question}`
  throw new KdrError(
    'approval-needed',
    answer === false ? `the answer was no: ${question}` : `there is nobody to ask: ${question}`,
    { hint: 'Resuming the run says yes to it.' },
  )
}

async function waitUntil(step: GateStep, world: PlanWorld): Promise<string> {
  const { until = 0 } = step
  const { clock, signal } = world
  // The clock may be set while it waits.
  for (;;) {
    const ms = until - clock.now()
    if (ms <= 0) return `it is past ${formatTime(until)}`
    if (signal.aborted)
      throw new KdrError('interrupted', `interrupted while waiting until ${formatTime(until)}`)
    world.onWait(step)
    await clock.sleep(Math.min(ms, 10_000), signal)
  }
}

/** `2026-03-01 10:00:00 UTC`. */
function formatTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`
}
