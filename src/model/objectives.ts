// Which objective holds for a link, a topic of it, a set or a plan: the first of the config that matches. Pure.
import { compilePatterns } from './patterns.ts'

export type Objective = {
  /** `*`, or patterns such as `link:east-west topic:pay-*`. */
  readonly for: string
  readonly rpoMs?: number | undefined
  readonly rtoMs?: number | undefined
}

/** `place`: words such as `link:east-west topic:pay-in`. A pattern about a topic says nothing of a link as a whole. */
export function objectiveFor(objectives: readonly Objective[], place: string): Objective | undefined {
  const words = place.split(' ')
  return objectives.find(objective =>
    objective.for
      .split(/\s+/)
      .filter(word => word !== '')
      .every(
        pattern => pattern === '*' || words.some(word => compilePatterns([pattern], 'any').matches(word)),
      ),
  )
}
