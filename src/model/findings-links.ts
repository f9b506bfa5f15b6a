// What can be wrong with a link, and how two clusters may differ: a part of the table of findings.
import type { FindingSpec } from './findings.ts'

export const ofLinks = {
  C070: {
    severity: 'error',
    title: 'nobody runs the link',
    cause:
      'No kdr copies: from now on the standby falls behind, and what is written is lost with the source.',
    wayOut: 'Start kdr, and see to it that something starts it again.',
    command: 'kdr run --link {link}',
  },
  C071: {
    severity: 'error',
    title: 'partitions of a link have stopped',
    cause:
      'kdr does not go on where it would have to guess: the reason names what was found, and the way out.',
    wayOut: 'Do what the evidence names.',
  },
  C072: {
    severity: 'error',
    title: 'the standby is too far behind',
    cause: 'More would be lost now than the objective allows.',
    wayOut: 'See what holds it back.',
    command: 'kdr status --link {link}',
  },
  C073: {
    severity: 'error',
    title: 'the source deletes soon what was not copied',
    cause: 'The copy is so far behind that retention is about to take what it has not yet.',
    wayOut: 'Raise `retention.ms` and `retention.bytes` at the source until the copy has caught up.',
    command:
      'kafka-configs.sh {at} --alter --entity-type topics --entity-name {topic} --add-config retention.ms=-1,retention.bytes=-1',
  },
  C074: {
    severity: 'error',
    title: 'topics of the link are not at the target',
    cause:
      'They are new, kdr may not make them, or somebody has deleted the mirrors: a failover would leave them behind.',
    wayOut: 'Let kdr run, and see what it says of them.',
    command: 'kdr status --link {link}',
  },
  C075: {
    severity: 'error',
    title: 'a mirror has another number of partitions',
    cause:
      'Keys go to other partitions after a failover, and offsets of groups lead nowhere. kdr adds what is missing; it can take none away.',
    wayOut:
      'Too few: let kdr run, it adds them. Too many: somebody has added some at the target; delete the mirror and let kdr copy the topic anew.',
    command: 'kdr link recopy {link} --topic {topic}',
  },
  C076: {
    severity: 'warning',
    title: 'somebody has changed a mirror',
    cause:
      'A config of a mirror topic is not what kdr had set. kdr reports such a change and leaves it: after a failover it is what applies.',
    wayOut: 'Set it back, or write it into `overrides:` of the link.',
    command:
      'kafka-configs.sh {at} --alter --entity-type topics --entity-name {topic} --add-config {name}={value}',
    safeFix:
      'Where all that was changed lets the mirror delete or refuse records by itself (retention, the largest message, bounds of timestamps): it is set back to the wider value that kdr had set. All else somebody may have meant.',
  },
  C077: {
    severity: 'warning',
    title: 'configs have not followed',
    cause:
      'The source has changed a config that kdr has not carried over: it does not run, may not, or just is about to.',
    wayOut: 'Let kdr run; see what it says.',
    command: 'kdr status --link {link}',
  },
  C078: {
    severity: 'warning',
    title: 'ACLs do not follow',
    cause: 'After a failover applications would be refused, or would be allowed what they should not be.',
    wayOut: 'Give kdr the rights that the evidence names.',
  },
  C079: {
    severity: 'warning',
    title: 'quotas differ',
    cause: 'The target has set them itself, or kdr may not: after a failover other limits hold.',
    wayOut: 'Make them equal, or accept the finding.',
  },
  C080: {
    severity: 'warning',
    title: 'users are missing at the target',
    cause: 'Passwords cannot be copied: after a failover these users could not sign in.',
    wayOut: 'Make them at the target, or name their secrets in `users:` of the link.',
  },
  C081: {
    severity: 'warning',
    title: 'groups are not in step',
    cause: 'After a failover they would begin somewhere else than they stood.',
    wayOut: 'See the reason of each.',
    command: 'kdr status --link {link}',
  },
  C082: {
    severity: 'warning',
    title: 'the standby has too few brokers',
    cause:
      'Mirrors have fewer replicas than their source: after a failover the loss of one broker costs more than before.',
    wayOut: 'Add brokers to the target, or accept the finding.',
  },
  C083: {
    severity: 'error',
    title: 'the standby has too little disk',
    cause: 'What the source holds does not fit on the disks of the target: it will stop while it is copied.',
    wayOut: 'Add disk or brokers at the target, or copy fewer topics.',
  },
  C084: {
    severity: 'warning',
    title: 'the link is paused',
    cause: 'Nothing of what is paused is copied: it falls behind.',
    wayOut: 'Resume it.',
    command: 'kdr link resume {link}',
  },
  C085: {
    severity: 'error',
    title: 'a cluster does not know that the link was moved',
    cause:
      'It was away when the link was promoted: applications there may still write, and nothing of that is copied.',
    wayOut: 'Bring it back as a standby.',
    command: 'kdr failback {link} --dry-run',
  },
  C086: {
    severity: 'warning',
    title: 'the link waits since a failover',
    cause: 'The active cluster has no standby: nothing is copied until the old one is brought back.',
    wayOut: 'When the old active is back: fail back, or let it become the standby.',
    command: 'kdr failback {link} --dry-run',
  },
  C087: {
    severity: 'warning',
    title: 'the first copy is not complete',
    cause:
      'Partitions wait or are being seeded, or nobody has told yet how far they are: a failover now would find them empty or half full.',
    wayOut: 'Wait, and see what they wait for.',
    command: 'kdr status --link {link}',
  },
  C065: {
    severity: 'warning',
    title: 'a topic is on one of two clusters only',
    cause: 'Compared by `--compare`: whoever moves to the other cluster does not find it.',
    wayOut: 'Make it there, or take it into a link.',
  },
  C066: {
    severity: 'warning',
    title: 'a topic differs between two clusters',
    cause: 'Compared by `--compare`: partitions, or configs that are set on the topic.',
    wayOut: 'Make them equal.',
  },
  C067: {
    severity: 'warning',
    title: 'ACLs, quotas or users differ between two clusters',
    cause: 'Compared by `--compare`: whoever moves to the other cluster may do other things there.',
    wayOut: 'Make them equal.',
  },
} as const satisfies Record<string, FindingSpec>
