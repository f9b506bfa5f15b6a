// Links in a circle (a → b → a, a → b → c → a): an exact mirror has one writer, and a topic that comes back to where it
// began would be written by kdr too. Whether the links of a circle can carry the same topic is asked of their patterns: a
// name is looked for that all of them take. Regular expressions are not looked into; `kdr run` compares names then.
import { compilePatterns } from '../model/patterns.ts'

export type CircleLink = {
  readonly name: string
  readonly source: string
  readonly target: string
  readonly topics: readonly string[]
}

export type Circle = {
  readonly links: readonly CircleLink[]
  /** A topic name that every one of the links takes. */
  readonly example: string
}

/** Circles of `links` whose links take a common topic; each circle once, beginning with the link that is written first. */
export function findCircles(links: readonly CircleLink[]): Circle[] {
  const circles: Circle[] = []
  for (const [index, first] of links.entries()) {
    // Those before it are in circles that were found already.
    for (const path of pathsBack(links.slice(index), [first])) {
      // A link to itself is refused by that name.
      const example = path.length < 2 ? undefined : commonTopic(path.map(({ topics }) => topics))
      if (example !== undefined) circles.push({ links: path, example })
    }
  }
  return circles
}

/** Every way from the end of `path` back to its beginning that visits no cluster twice. */
function pathsBack(links: readonly CircleLink[], path: readonly CircleLink[]): CircleLink[][] {
  const at = path.at(-1)?.target
  if (at === path[0]?.source) return [[...path]]
  return links
    .filter(({ source, target }) => source === at && !path.some(each => each.target === target))
    .flatMap(next => pathsBack(links, [...path, next]))
}

/** Stands for what a wildcard may be. */
const ANYTHING = 'example'

/** A name that every list takes; undefined when there is none, or none that the globs show. */
export function commonTopic(lists: readonly (readonly string[])[]): string | undefined {
  const filters = lists.map(patterns => compilePatterns(patterns, 'topics'))
  const globs = lists.map(patterns =>
    patterns.filter(each => !each.startsWith('!') && !each.startsWith('re:')),
  )
  return combinations(globs)
    .flatMap(each => commonNames(each))
    .find(name => filters.every(filter => filter.matches(name)))
}

function combinations(lists: readonly (readonly string[])[]): string[][] {
  return lists.reduce<string[][]>(
    (found, list) => found.flatMap(before => list.map(each => [...before, each])),
    [[]],
  )
}

/** Shortest names that all globs match: as short as can be, and with something made up wherever all of them allow it. */
function commonNames(globs: readonly string[]): string[] {
  type State = { readonly at: readonly number[]; readonly short: string; readonly long: string }
  const symbols = [...new Set(globs.join('').replaceAll(/[*?]/g, '')), ANYTHING[0] ?? '']
  const seen = new Set<string>()
  let states: State[] = [{ at: globs.map(() => 0), short: '', long: '' }]
  while (states.length > 0) {
    const next: State[] = []
    for (const state of states) {
      const key = state.at.join()
      if (seen.has(key)) continue
      seen.add(key)
      const isFree = globs.every((glob, index) => glob[state.at[index] ?? 0] === '*')
      const long = isFree ? state.long + ANYTHING : state.long
      if (globs.every((glob, index) => /^\**$/.test(glob.slice(state.at[index]))))
        return [long, state.short].filter(name => name !== '')
      for (const symbol of symbols)
        for (const at of steps(globs, state.at, symbol))
          next.push({ at, short: state.short + symbol, long: long + symbol })
      for (const at of skips(globs, state.at)) next.push({ at, short: state.short, long })
    }
    states = next
  }
  return []
}

/** Where the globs stand after one more character: a `*` stays where it is. */
function steps(globs: readonly string[], at: readonly number[], symbol: string): number[][] {
  const moved = globs.map((glob, index) => {
    const here = at[index] ?? 0
    if (glob[here] === '*') return here
    return glob[here] === '?' || glob[here] === symbol ? here + 1 : -1
  })
  return moved.includes(-1) ? [] : [moved]
}

/** A `*` may end anywhere. */
function skips(globs: readonly string[], at: readonly number[]): number[][] {
  return globs.flatMap((glob, index) =>
    glob[at[index] ?? 0] === '*' ? [at.map((each, which) => (which === index ? each + 1 : each))] : [],
  )
}
