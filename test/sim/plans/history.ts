// One history of a plan, from a seed: links and clusters, stages and gates, links that stop in the middle, clusters that fall silent,
// controllers that are killed, paused, interrupted or passed over, people who say no, move a link by itself or give something up. Then
// all is put right, the plan comes to its end or is given up, whoever stood still wakes, and nothing may change any more.
import type { Gate, PlanShape } from '../../../src/model/plan-runs.ts'
import type { RunKind } from '../../../src/model/runs.ts'
import { shapeOf } from '../../support/plan-world.ts'
import { Random } from '../random.ts'
import { PlanController, type Order } from './controller.ts'
import { judge, outcomeOf, runsOf } from './judge.ts'
import { type Answer, type LinkSpec, PlanningWorld, START } from './world.ts'

/** What happens to one controller, at its so manieth call through a port (the first is 1). */
export type PlanTrouble = {
  readonly call: number
  readonly isBefore: boolean
  /** `taken over`: nothing happens to it, and it goes on while the next one begins. */
  readonly what: 'killed' | 'paused' | 'taken over' | 'interrupted'
}

/** A cluster does not answer from a controller's so manieth call on. */
export type Outage = { readonly call: number; readonly cluster: string; readonly forMs: number }

/** What an operator does when a controller has ended without coming to the end. */
type Next = 'resume' | 'move a link' | 'give up a run' | 'give up the plan'

export type PlanStory = {
  readonly seed: number
  readonly kind: RunKind
  readonly links: readonly LinkSpec[]
  readonly away: readonly string[]
  readonly shape: PlanShape
  readonly answers: readonly Answer[]
  readonly codes: readonly number[]
  /** By link, how often it stops in the middle. */
  readonly breaks: Readonly<Record<string, number>>
  /** By controller, in their turn. */
  readonly troubles: readonly (PlanTrouble | undefined)[]
  readonly outages: readonly (Outage | undefined)[]
  readonly next: readonly Next[]
}

export type PlanHistory = {
  readonly story: PlanStory
  readonly violations: readonly string[]
  readonly trace: readonly string[]
  /** Of the first controller, through ports. */
  readonly calls: number
  readonly end: string
}

/** Two links into one standby, one standby for two sources, two standbys of one source. */
const LINKS: readonly LinkSpec[] = [
  { name: 'a', source: 'east', target: 'west' },
  { name: 'b', source: 'north', target: 'west' },
  { name: 'c', source: 'east', target: 'west' },
  { name: 'd', source: 'east', target: 'south' },
]
const LIMIT_MS = 400_000
/** From then on a silent controller needs no --take-over. */
const SILENT_MS = 16_000
const AFTER_MS = 60_000
/** Of a controller that comes to the end at once, about so many. */
const CALLS = 260
const MOST_CONTROLLERS = 12

export function storyOf(seed: number): PlanStory {
  const random = new Random(seed).stream('story')
  const kind = random.pick<RunKind>(['switchover', 'switchover', 'failover', 'failback'])
  const count = random.between(1, 3)
  const links = shuffled(LINKS, random).slice(0, count)
  const names = links.map(({ name }) => name)
  const stages: string[][] = []
  for (const name of names)
    if (stages.length > 0 && random.chance(0.4)) stages.at(-1)!.push(name)
    else stages.push([name])
  const gates = names.flatMap(name => (random.chance(0.4) ? [gateBefore(name, random)] : []))
  const several = <T>(most: number, draw: () => T): T[] =>
    Array.from({ length: random.between(0, most) }, draw)
  return {
    seed,
    kind,
    links,
    away:
      kind === 'failback'
        ? names.filter((_name, index) => index === 0 || random.chance(0.8))
        : kind === 'failover'
          ? names.filter((_name, index) => index > 0 && random.chance(0.15))
          : [],
    shape: shapeOf(stages, gates),
    answers: several(2, () => random.pick<Answer>(['yes', 'no', 'nobody'])),
    codes: several(2, () => random.pick([0, 3])),
    breaks: Object.fromEntries(names.map(name => [name, random.chance(0.25) ? 1 : 0])),
    troubles: several(3, () => (random.chance(0.8) ? troubleOf(random) : undefined)),
    outages: several(2, () =>
      random.chance(0.4)
        ? {
            call: random.between(1, CALLS),
            cluster: random.pick(links.flatMap(({ source, target }) => [source, target])),
            forMs: random.pick([5_000, 40_000]),
          }
        : undefined,
    ),
    next: several(3, () =>
      random.pick<Next>(['resume', 'resume', 'resume', 'move a link', 'give up a run', 'give up the plan']),
    ),
  }
}

function gateBefore(before: string, random: Random): Gate {
  const kind = random.pick(['ask', 'command', 'wait', 'at'] as const)
  switch (kind) {
    case 'ask':
      return { before, kind, question: `shall ${before} move?` }
    case 'command':
      return { before, kind, command: `check ${before}` }
    case 'wait':
      return { before, kind, ms: random.between(1, 30) * 1_000 }
    case 'at':
      return { before, kind, at: new Date(START + random.between(1, 90) * 1_000).toISOString() }
  }
}

function troubleOf(random: Random): PlanTrouble {
  return {
    call: random.between(1, CALLS),
    isBefore: random.chance(0.5),
    what: random.pick(['killed', 'killed', 'paused', 'paused', 'taken over', 'interrupted'] as const),
  }
}

function shuffled<T>(all: readonly T[], random: Random): T[] {
  return all
    .map(each => ({ each, at: random.fraction() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ each }) => each)
}

export async function playPlan(story: PlanStory): Promise<PlanHistory> {
  return await new Playing(story).play()
}

class Playing {
  readonly #story: PlanStory
  readonly #world: PlanningWorld
  readonly #controllers: PlanController[] = []
  readonly #next: Next[]
  readonly #random: Random

  constructor(story: PlanStory) {
    this.#story = story
    this.#world = new PlanningWorld(story)
    this.#next = [...story.next]
    this.#random = new Random(story.seed).stream('operator')
    this.#world.answers.push(...story.answers)
    this.#world.codes.push(...story.codes)
    for (const [name, times] of Object.entries(story.breaks)) this.#world.links.get(name)!.breaks = times
  }

  async play(): Promise<PlanHistory> {
    const world = this.#world
    await world.prepare()
    const last = await this.#toTheEnd()
    if (last !== undefined) {
      for (const wrong of judge(world, this.#story.shape, last.report)) world.violate(wrong)
      if (last.report?.state !== 'done' && this.#story.next.every(each => each === 'resume'))
        world.violate(
          'nobody has given anything up, or moved a link by itself, and it did not come to its end',
        )
      await this.#wake()
    }
    for (const { process } of this.#controllers) process.kill()
    return {
      story: this.#story,
      violations: world.violations,
      trace: world.trace,
      calls: this.#controllers[0]!.process.calls,
      end: last?.report?.state ?? 'none',
    }
  }

  /** The controller that came to the end; undefined: none did. */
  async #toTheEnd(): Promise<PlanController | undefined> {
    const { troubles, outages, shape } = this.#story
    const world = this.#world
    let order: Order = { what: 'plan' }
    for (let round = 0; round < MOST_CONTROLLERS; round++) {
      const isHealing = round >= Math.max(troubles.length, outages.length) && this.#next.length === 0
      if (isHealing) world.heal()
      const controller = await this.#send(order, troubles[round], outages[round])
      const state = controller.isOver ? controller.report?.state : undefined
      if (state === 'done' || state === 'aborted') {
        await this.#finishOthers()
        return controller
      }
      order = this.#whatNext(controller, { before: order, isHealed: isHealing && round > 0 })
    }
    world.violate(`plan "${shape.name}" does not come to an end`)
    return undefined
  }

  async #send(
    order: Order,
    trouble: PlanTrouble | undefined,
    outage: Outage | undefined,
  ): Promise<PlanController> {
    const { kind, shape } = this.#story
    const world = this.#world
    const before = this.#controllers.at(-1)
    const isPatient = before === undefined || this.#random.chance(0.5)
    if (before !== undefined) await world.pass(isPatient ? SILENT_MS : 50)
    const isAlive =
      before !== undefined && !before.isOver && !before.process.isKilled && !before.process.isPaused
    const name = `c${this.#controllers.length + 1}`
    const controller = new PlanController(world, name, {
      kind,
      shape,
      order,
      takeOver: !isPatient || isAlive,
    })
    this.#controllers.push(controller)
    const { process } = controller
    if (trouble?.what === 'killed' || trouble?.what === 'paused')
      process.crashAt = { ...trouble, isPause: trouble.what === 'paused' }
    const isReached = (call: number | undefined): boolean => call !== undefined && process.calls >= call
    let isDown = false
    const isInterrupted = (): boolean => {
      if (trouble?.what === 'interrupted' && isReached(trouble.call)) controller.interrupt.abort()
      if (!isDown && isReached(outage?.call)) {
        isDown = true
        this.#fallSilent(outage!)
      }
      return (
        process.isKilled || process.isPaused || (trouble?.what === 'taken over' && isReached(trouble.call))
      )
    }
    if (!(await world.until(() => controller.isOver || isInterrupted(), LIMIT_MS)))
      world.violate(`${name} hangs`)
    return controller
  }

  /** Runs of people who have moved a link by themselves, and have stopped. */
  async #finishOthers(): Promise<void> {
    const { steps = [] } = outcomeOf(this.#world) ?? {}
    const ofPlan = new Set(steps.map(step => (step.kind === 'link' ? step.run : undefined)))
    this.#world.heal()
    for (const { run, state } of runsOf(this.#world).values())
      if ((state === 'running' || state === 'stopped') && !ofPlan.has(run))
        await this.#send({ what: 'resume run', of: run }, undefined, undefined)
  }

  #fallSilent({ cluster, forMs }: Outage): void {
    const network = this.#world.networks.get(cluster)!
    this.#world.say(`-- "${cluster}" falls silent for ${forMs} ms`)
    network.isDown = true
    void this.#world.clock.sleep(forMs).then(() => {
      network.isDown = false
    })
  }

  #whatNext(
    { code, report }: PlanController,
    { before, isHealed }: { readonly before: Order; readonly isHealed: boolean },
  ): Order {
    const world = this.#world
    const next = this.#next.shift() ?? 'resume'
    const underWay = [...runsOf(world).values()].find(
      ({ state }) => state === 'running' || state === 'stopped',
    )
    if (isHealed) {
      // It cannot go on: somebody has moved a link by itself. What is in the middle comes to an end, and the plan is given up.
      const isStuck = report?.state === 'stopped' || (before.what === 'give up plan' && code === 'not-ready')
      if (!isStuck) return { what: 'plan' }
      if (underWay === undefined) return { what: outcomeOf(world) === undefined ? 'plan' : 'give up plan' }
      return { what: 'resume run', of: underWay.run }
    }
    const { record, steps = [] } = outcomeOf(world) ?? {}
    const isAlone = this.#controllers.every(
      ({ isOver, process }) => isOver || process.isKilled || process.isPaused,
    )
    const isKnown = isAlone && (record?.state === 'running' || record?.state === 'stopped')
    // Of a plan that has not begun whoever is to approve it would see that.
    const waiting = isKnown
      ? steps.filter(
          ({ kind, link, state }) =>
            kind === 'link' && state === 'waiting' && !world.acts.some(act => act.link === link),
        )
      : []
    if (next === 'move a link' && waiting.length > 0)
      return { what: 'move link', of: this.#random.pick(waiting).link }
    if (next === 'give up a run' && underWay !== undefined) return { what: 'give up run', of: underWay.run }
    if (next === 'give up the plan' && isKnown) return { what: 'give up plan' }
    return { what: 'plan' }
  }

  /** Whoever stood still goes on, and finds that it was passed over. */
  async #wake(): Promise<void> {
    const world = this.#world
    world.say('-- everybody wakes')
    const acts = world.acts.length
    // A denial that had left its last check when its controller was stopped is refused by nobody.
    const left = (): string =>
      JSON.stringify([...world.links.values()].map(({ held, leadsTo, ledBy }) => [held, leadsTo, ledBy]))
    const before = left()
    for (const { process } of this.#controllers) process.resume()
    await world.pass(AFTER_MS)
    for (const { by, what, link } of world.acts.slice(acts))
      world.violate(`${by} wakes after the end, and acts on link "${link}": ${what}`)
    if (left() !== before) world.violate('after the end links have changed')
  }
}
