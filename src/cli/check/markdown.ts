// The same as a page of Markdown, to be kept or sent.
import type { CheckReport } from '../../engine/check/check.ts'
import type { Finding } from '../../model/findings.ts'
import { countsOf, type Group, groupsOf, isCommand, scopeOf, titleOf } from './text.ts'
import { formatTime } from '../format.ts'

/** `now`: ms since 1970. */
export function checkMarkdown(report: CheckReport, now: number): string {
  const { findings, accepted, racks, ready } = report
  return [
    `# kdr check: ${ready}`,
    `${formatTime(now)}: ${countsOf(findings)} in ${scopeOf(report)}.`,
    ...groupsOf(findings).map(groupOf),
    ...(racks.length === 0
      ? []
      : [
          '## Without one rack',
          [
            '| cluster | rack | brokers | leaders | without a leader | would refuse `acks=all` | would lose `acks=1` | controllers |',
            '|---|---|---|--:|--:|--:|--:|---|',
            ...racks.map(
              rack =>
                `| ${cell(rack.cluster)} | ${cell(rack.rack)} | ${rack.brokers.join(', ')} | ${rack.leaders} | ${rack.withoutLeader.length} | ${rack.refusesAcksAll.length} | ${rack.losesAcksOne.length} | ${rack.quorumSurvives === null ? 'not known' : rack.quorumSurvives ? 'go on' : 'stop'} |`,
            ),
          ].join('\n'),
        ]),
    ...(accepted.length === 0
      ? []
      : [
          '## Accepted, and not counted',
          accepted
            .map(
              ({ id, message, where, accepted: { until, why } }) =>
                `- **${id}** ${text(message)} (\`${where}\`)${until === null ? '' : `, until ${until.slice(0, 10)}`}: ${text(why)}`,
            )
            .join('\n'),
        ]),
  ]
    .join('\n\n')
    .concat('\n')
}

function groupOf(group: Group): string {
  const [first] = group
  return `## ${first.severity}: ${first.id}, ${titleOf(first)}\n\n${group.map(findingOf).join('\n')}`
}

function findingOf({ message, where, evidence, hint }: Finding): string {
  const lines = evidence.map(line => `  - ${text(line)}\n`).join('')
  const out = isCommand(hint) ? `\n  \`\`\`sh\n  ${hint}\n  \`\`\`\n` : `  - *way out:* ${text(hint)}\n`
  return `- ${text(message)} (\`${where}\`)\n${lines}${out}`
}

/** Names and messages of brokers come from outside. */
const text = (value: string): string => value.replace(/[\\*_<>[\]|#]/g, found => `\\${found}`)
const cell = text
