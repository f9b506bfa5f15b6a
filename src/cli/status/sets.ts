// kdr status: a line for each set, and what is wrong with it.
import type { SetStateName, SetStatus } from '../../model/set-status.ts'
import { formatBytes, formatDuration } from '../format.ts'
import { formatTable, type Style } from '../table.ts'
import { historyWords } from './standing.ts'

/** Late, unverified, damaged or without a vault is wrong; a store that does not answer is nobody's fault here, and told apart. */
export function exitOfSets(sets: readonly SetStatus[]): number {
  if (sets.some(({ state }) => state === 'late' || state === 'unverified' || state === 'faulted')) return 3
  return sets.some(({ state }) => state === 'unreachable') ? 11 : 0
}

/** `now`: ms since 1970. */
export function setsText(sets: readonly SetStatus[], now: number, style: Style): string {
  if (sets.length === 0) return ''
  const colour: Readonly<Record<SetStateName, (text: string) => string>> = {
    current: style.green,
    unscheduled: style.bold,
    waiting: style.yellow,
    late: style.red,
    unverified: style.red,
    unreachable: style.red,
    faulted: style.red,
  }
  const rows = sets.map(set => [
    set.name,
    `${set.cluster} → ${set.vault}`,
    colour[set.state](set.state),
    set.lastCommit === null ? '-' : String(set.lastCommit),
    set.ageMs === null ? '-' : formatDuration(set.ageMs),
    set.objectiveMs === null ? '-' : formatDuration(set.objectiveMs),
    set.verifiedAt === null ? '-' : `${formatDuration(Math.max(0, now - Date.parse(set.verifiedAt)))} ago`,
    set.bytes === null ? '-' : formatBytes(set.bytes),
  ])
  const table = formatTable(
    [
      { title: 'SET' },
      { title: 'OF' },
      { title: 'STATE' },
      { title: 'COMMIT', align: 'right' },
      { title: 'AGE', align: 'right' },
      { title: 'AT MOST', align: 'right' },
      { title: 'VERIFIED', align: 'right' },
      { title: 'STORED', align: 'right' },
    ],
    rows,
    style,
  )
  const troubles = sets
    .filter(({ state }) => ['late', 'unverified', 'unreachable', 'faulted'].includes(state))
    .map(({ name, sentence }) => `${style.red('✗')} ${name}: ${sentence}\n`)
  const histories = sets.flatMap(({ name, history }) => {
    const words = historyWords(history, { what: 'age', limits: 'its schedule' })
    return words === undefined ? [] : [style.dim(`${name}: ${words}\n`)]
  })
  return `${table}${troubles.join('')}${histories.join('')}`
}
