// What is said of a run, on the terminal and on the page alike.
import {
  isPastReturn,
  mayGiveUp,
  putBackCommand,
  type ReportedStep,
  type RunReport,
  type StepName,
} from '../../model/runs.ts'
import type { Stranded } from '../../model/stranded.ts'
import { formatDuration, plural } from '../format.ts'

export function titleOf(step: StepName): string {
  return step.replaceAll('-', ' ')
}

/** Ids of groups and transactions may hold anything, also what a terminal takes for a command. */
export function visible(text: string): string {
  return text.replace(/\p{Cc}/gu, '?')
}

/** In a few words; `sentence` of the report says why. */
export function verdictOf(report: RunReport): string {
  const { state, active, standby } = report
  switch (state) {
    case 'planned':
      return 'planned, nothing has changed'
    case 'running':
      return 'under way'
    case 'stopped':
      return 'stopped'
    case 'aborted':
      return `given up, "${active}" stays active`
    case 'done':
      return movesNothing(report)
        ? `done, "${standby}" is a standby of "${active}" again`
        : `done, "${standby}" is active`
  }
}

/** Of a failback that only takes the link up again: it was home. */
function movesNothing({ steps }: RunReport): boolean {
  return !steps.some(({ name }) => name === 'promote')
}

/** What stands at a cluster that was left, and nowhere else. */
export function strandedWords({
  cluster,
  records,
  offsets,
  from,
  to,
  partitions,
  ...rest
}: Stranded): string {
  const topics = new Set(partitions.flatMap(({ state, topic }) => (state === 'clean' ? [] : [topic]))).size
  if (topics === 0) return `"${cluster}" has nothing that was not copied`
  const upTo = rest.atMost === true ? 'at most ' : ''
  const times = from === null || to === null ? '' : `, from ${from} to ${to}`
  return `${upTo}${plural(records, 'record')} (${plural(offsets, 'offset')}) of ${plural(topics, 'topic')} at "${cluster}" alone${times}`
}

/** Whether applications can write again: the time until then is the RTO, else it is only how far the run has come. */
export function isRedirected({ steps }: RunReport): boolean {
  return steps.some(({ name, state }) => name === 'redirect' && (state === 'done' || state === 'skipped'))
}

/** Steps that count into the RTO: those that have begun, up to the redirect once it is over. */
function countedSteps(report: RunReport): ReportedStep[] {
  const redirect = report.steps.findIndex(({ name }) => name === 'redirect')
  const steps = isRedirected(report) ? report.steps.slice(0, redirect + 1) : report.steps
  return steps.filter(({ state }) => state !== 'waiting')
}

/** What passed while no step was at work: a run that was stopped waits for whoever resumes it. 0 where it is of no account. */
export function betweenSteps(report: RunReport): number {
  const ms = report.rto.ms - countedSteps(report).reduce((sum, step) => sum + step.ms, 0)
  return ms < 1_000 ? 0 : ms
}

export function rtoWords(report: RunReport): string {
  const { ms, dominatedBy } = report.rto
  const until = isRedirected(report) ? 'until applications could write again' : 'so far'
  const longest = report.steps.find(({ name }) => name === dominatedBy)
  const most =
    longest === undefined ? '' : `; longest: ${titleOf(longest.name)}, ${formatDuration(longest.ms)}`
  const betweenMs = betweenSteps(report)
  const between = betweenMs === 0 ? '' : `; between steps: ${formatDuration(betweenMs)}`
  return `${formatDuration(ms)} ${until}${most}${between}`
}

export function lossWords({ rpo, active, steps, state }: RunReport): string {
  if (state === 'aborted') return 'nothing lost'
  const isAhead = !isPastReturn(steps)
  const unknown = rpo.partitions.filter(({ sourceEnd }) => sourceEnd < 0).length
  const touched = rpo.partitions.filter(({ lostRecords }) => lostRecords > 0).length
  const where = touched === 0 ? '' : ` in ${plural(touched, 'partition')}`
  const lost =
    rpo.records === 0
      ? `${rpo.basis === 'exact' ? 'nothing' : 'nothing that was seen'}${isAhead ? ' to lose' : ' is lost'}${unseenWords(rpo, active)}`
      : `up to ${plural(rpo.records, 'record')}${where}${isAhead ? ' to lose' : ' lost'}, at most ${formatDuration(rpo.ms)} old`
  const blind = unknown === 0 ? '' : `; of ${plural(unknown, 'partition')} nothing is known`
  const planned = rpo.basis === 'exact' ? 'as planned' : 'as planned, an estimate'
  return `${lost}${blind} (${isAhead ? planned : basisWords(rpo.basis, active)})`
}

/** What an active that does not answer has taken at the end nobody knows. */
function unseenWords({ basis, ms }: RunReport['rpo'], active: string): string {
  return basis === 'exact' || ms === 0
    ? ''
    : `; of what "${active}" took in its last ${formatDuration(ms)} nothing was seen`
}

function basisWords(basis: RunReport['rpo']['basis'], active: string): string {
  return basis === 'exact'
    ? 'exact: counted at both clusters'
    : `estimate: from what was seen of "${active}" last`
}

/** What is written at an old active that nothing fences comes on top of what was counted. */
export function unfencedWords(report: RunReport): string | undefined {
  const { fence, active, state, steps, acceptedSplitBrain } = report
  if (fence.state !== 'none' || state === 'aborted' || !isPastReturn(steps)) return undefined
  const accepted = acceptedSplitBrain ? ', which was accepted' : ''
  return `nothing keeps applications from writing to "${active}"${accepted}: what they write there is lost as well`
}

/** What `--break-glass` has left, and the command that puts it back. */
export function loweredWords({ lowered = [], standby }: RunReport): string[] {
  return lowered.map(
    each =>
      `${each.topic} of "${standby}" takes writes with too few replicas; when its brokers are back: ${putBackCommand(each)}`,
  )
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
      return mayGiveUp(kind, steps) ? [resume, `kdr runs abort ${run}`] : [resume]
    }
    case 'aborted':
      return [`kdr status --link ${link}`]
    case 'done':
      return [`kdr status --link ${link}`, page]
  }
}
