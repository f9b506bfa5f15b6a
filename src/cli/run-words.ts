// What is said of a run, on the terminal and on the page alike.
import { isPastReturn, type RunReport, type StepName } from '../model/runs.ts'
import { formatDuration, plural } from './format.ts'

export function titleOf(step: StepName): string {
  return step.replaceAll('-', ' ')
}

/** Ids of groups and transactions may hold anything, also what a terminal takes for a command. */
export function visible(text: string): string {
  return text.replace(/\p{Cc}/gu, '?')
}

export function verdictOf({ state, active, standby, sentence }: RunReport): string {
  switch (state) {
    case 'planned':
      return 'planned, nothing has changed'
    case 'running':
      return 'under way'
    case 'stopped':
      return `stopped: ${sentence ?? 'no reason was recorded'}`
    case 'aborted':
      return `given up, "${active}" stays active${sentence === undefined ? '' : `: ${sentence}`}`
    case 'done':
      return `done, "${standby}" is active`
  }
}

/** Whether applications can write again: the time until then is the RTO, else it is only how far the run has come. */
export function isRedirected({ steps }: RunReport): boolean {
  return steps.some(({ name, state }) => name === 'redirect' && (state === 'done' || state === 'skipped'))
}

export function rtoWords(report: RunReport): string {
  const { ms, dominatedBy } = report.rto
  const until = isRedirected(report) ? 'until applications could write again' : 'so far'
  const longest = report.steps.find(({ name }) => name === dominatedBy)
  const most =
    longest === undefined ? '' : `; longest: ${titleOf(longest.name)}, ${formatDuration(longest.ms)}`
  return `${formatDuration(ms)} ${until}${most}`
}

export function lossWords({ rpo, active, steps, state }: RunReport): string {
  if (state === 'aborted') return 'nothing lost'
  const isAhead = !isPastReturn(steps)
  const unknown = rpo.partitions.filter(({ sourceEnd }) => sourceEnd < 0).length
  const touched = rpo.partitions.filter(({ lostRecords }) => lostRecords > 0).length
  const where = touched === 0 ? '' : ` in ${plural(touched, 'partition')}`
  const lost =
    rpo.records === 0
      ? `${rpo.basis === 'exact' ? 'nothing' : 'nothing known of'}${isAhead ? ' to lose' : ' is lost'}`
      : `up to ${plural(rpo.records, 'record')}${where}${isAhead ? ' to lose' : ' lost'}, at most ${formatDuration(rpo.ms)} old`
  const blind = unknown === 0 ? '' : `; of ${plural(unknown, 'partition')} nothing is known`
  return `${lost}${blind} (${basisWords(rpo.basis, active)})`
}

export function basisWords(basis: RunReport['rpo']['basis'], active: string): string {
  return basis === 'exact'
    ? 'exact: counted at both clusters'
    : `estimate: from what was seen of "${active}" last`
}

/** What is written at an old active that nothing fences comes on top of what was counted. */
export function unfencedWords({ fence, active, state, steps }: RunReport): string | undefined {
  if (fence.state !== 'none' || state === 'aborted' || !isPastReturn(steps)) return undefined
  return `nothing keeps applications from writing to "${active}"; what they write there is lost on top of that`
}

/** Commands, most likely first. */
export function nextOf(report: RunReport): string[] {
  const { run, kind, state, steps, scope } = report
  const link = scope.links.join(' ')
  const page = `kdr runs show ${run} --format html > ${run}.html`
  switch (state) {
    case 'planned':
    case 'running':
      return []
    case 'stopped': {
      const resume = `kdr ${kind} ${link} --resume ${run}`
      return isPastReturn(steps) ? [resume] : [resume, `kdr runs abort ${run}`]
    }
    case 'aborted':
      return [`kdr status --link ${link}`]
    case 'done':
      return [`kdr status --link ${link}`, page]
  }
}
