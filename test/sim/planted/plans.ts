// Bugs of the runs of plans that their histories must find: texts of the source that are replaced (bugs.ts). The last two undo fixes
// of what these histories have found. `seed`: of a history that objects; `node test/sim/plans/main.ts --bug NAME --count 3000` looks for
// one.
import type { PlantedBug } from './bugs.ts'

const P = 'engine/plans'

export const PLANTED_IN_PLANS: readonly (PlantedBug & { readonly seed: number })[] = [
  {
    name: 'answered-when-killed',
    breaks: 'whoever resumes a plan that was killed while it asked has said yes to what nobody has answered',
    seed: 13,
    changes: [
      {
        file: `${P}/run.ts`,
        find: "const isAnswered = isResumed && step.state === 'failed'",
        put: 'const isAnswered = isResumed',
      },
    ],
  },
  {
    name: 'run-not-named',
    breaks:
      'a link begins before the plan has written down which run moves it: nobody asks that run afterwards',
    seed: 35,
    changes: [
      {
        file: `${P}/run.ts`,
        find: 'await this.#write(begun)\n    const { world }',
        put: 'const { world }',
      },
    ],
  },
  {
    name: 'moved-back',
    breaks: 'a link that somebody has moved by itself meanwhile is moved back',
    seed: 68,
    changes: [
      {
        file: `${P}/run.ts`,
        find: 'if (!goesOn && plan.active !== step.active)',
        put: "if (!goesOn && plan.active === '')",
      },
    ],
  },
  {
    name: 'next-stage-anyway',
    breaks: 'what has stopped in one stage does not keep the next from beginning',
    seed: 1,
    changes: [
      {
        file: `${P}/run.ts`,
        find: "if (why !== undefined) return await this.#end('stopped', why)",
        put: "if (why !== undefined && stage < 0) return await this.#end('stopped', why)",
      },
    ],
  },
  {
    name: 'waited-from-the-start',
    breaks: 'a gate counts from the start of the run, not from when what comes before it had ended',
    seed: 22,
    changes: [
      {
        file: `${P}/run.ts`,
        find: 'this.#endedBefore(step) ?? now',
        put: 'this.#input.record.startedAt',
      },
    ],
  },
  {
    name: 'away-by-failback',
    breaks: 'a failback moves away what is home',
    seed: 22,
    changes: [
      {
        file: `${P}/observe.ts`,
        find: "if (kind === 'failback' && (await links.isAtHome(link)))",
        put: "if (kind === 'failback' && link === '')",
      },
      {
        file: `${P}/run.ts`,
        find: "if (!goesOn && this.#input.record.kind === 'failback' && (await links.isAtHome(step.link)))",
        put: "if (step.link === '')",
      },
    ],
  },
  {
    name: 'given-up-under-way',
    breaks: 'a plan is given up while one of its links is in the middle, and nobody is told',
    seed: 85,
    changes: [
      {
        file: `${P}/give-up.ts`,
        find: "own.state !== 'aborted' && own.state !== 'done'",
        put: "own.state === 'planned'",
      },
    ],
  },
  {
    name: 'loss-of-one-link',
    breaks: 'the report counts the loss of one link for all',
    seed: 2,
    changes: [
      {
        file: `${P}/report.ts`,
        find: 'results.reduce((sum, { records }) => sum + records, 0)',
        put: 'Math.max(0, ...results.map(({ records }) => records))',
      },
    ],
  },
  {
    name: 'link-outlives-plan',
    breaks:
      'who was stopped when it had named the run of a link, and wakes when the plan was given up, moves that link',
    seed: 199,
    changes: [
      {
        file: 'engine/runs/journal.ts',
        find: 'this.#store = input.above?.guarding(input.store) ?? input.store',
        put: 'this.#store = input.store',
      },
      { file: 'engine/runs/journal.ts', find: 'await this.#input.above?.guard()', put: '' },
      { file: 'engine/runs/journal.ts', find: ' && this.#input.above?.isSure() !== false', put: '' },
    ],
  },
  {
    name: 'time-between-forgotten',
    breaks:
      'of what was taken up again the time in between is forgotten: gates open early, and the RTO is too short',
    seed: 95,
    changes: [
      {
        file: 'model/runs.ts',
        find: '=> endedAt ?? startedAt + ms',
        put: '=> (endedAt === 0 ? 0 : startedAt + ms)',
      },
    ],
  },
]
