// Recognises the topics of known programs by name, and proposes what a link should do with each family. A proposal is a
// suggestion in a file that a person reads: it says what it saw, and why.

import { internalTopicOf } from '../model/patterns.ts'
import type { InspectedTopic } from './inspected.ts'

export type Family = {
  readonly program:
    | 'Schema Registry'
    | 'Kafka Connect'
    | 'Kafka Streams'
    | 'ksqlDB'
    | 'MirrorMaker 2'
    | 'Confluent Platform'
    | 'Cruise Control'
    | 'Strimzi'
  readonly topics: readonly string[]
  /** What to do, as sentences for a comment. */
  readonly advice: readonly string[]
  /** Patterns that go into the link. */
  readonly patterns: readonly string[]
  /** Patterns that a person may want, written as comments. */
  readonly optional: readonly string[]
}

const REGISTRY = /^_schemas/
const CONNECT = /^(.*[-_.])?connect[-_.](.*[-_.])?(configs?|offsets?|status(es)?)$/
const STREAMS = /^(.+?)-(KSTREAM|KTABLE|.*STORE|.+)-.*(changelog|repartition)$|^(.+)-(changelog|repartition)$/
const KSQL = /^_confluent-ksql-|ksql_processing_log$/
const MM2_INTERNAL =
  /^mm2-(configs|offsets|status|offset-syncs)\..*internal$|(^|\.)heartbeats$|\.checkpoints\.internal$/

const CRUISE_CONTROL = /^(__CruiseControlMetrics|__KafkaCruiseControl.*|strimzi\.cruisecontrol\..*)$/
const STRIMZI = /^(__strimzi[-_].*|strimzi-(store-topic|topic-operator-.*))$/

export function recogniseFamilies(topics: readonly Pick<InspectedTopic, 'name'>[]): Family[] {
  const names = topics.map(topic => topic.name).sort()
  const taken = new Set<string>()
  const take = (test: (name: string) => boolean): string[] => {
    const found = names.filter(name => !taken.has(name) && test(name))
    for (const name of found) taken.add(name)
    return found
  }

  const registry = take(name => REGISTRY.test(name))
  const connect = take(name => CONNECT.test(name))
  const ksql = take(name => KSQL.test(name))
  const mirrorMaker = take(name => MM2_INTERNAL.test(name))
  const aliases = [...new Set(mirrorMaker.flatMap(aliasesIn))]
  const copies = take(name => aliases.some(alias => name.startsWith(`${alias}.`)))
  const confluent = take(name => internalTopicOf(name) === 'Confluent')
  const cruiseControl = take(name => CRUISE_CONTROL.test(name))
  const strimzi = take(name => STRIMZI.test(name))
  const streams = take(name => STREAMS.test(name))

  const families: Family[] = [
    {
      program: 'Schema Registry',
      topics: registry,
      advice: [
        'Passed by unless named: a registry that runs at the standby would write to the mirror.',
        'Name it when the one at the standby is stopped, or follows as a read-only secondary.',
      ],
      patterns: [],
      optional: registry,
    },
    {
      program: 'Kafka Connect',
      topics: connect,
      advice: [
        'Passed by unless named: a Connect that runs at the standby would write to the mirrors.',
        'Name them when its workers at the standby are only started after a failover.',
      ],
      patterns: [],
      optional: connect,
    },
    {
      program: 'ksqlDB',
      topics: ksql,
      advice: [
        '`_confluent-ksql-*` are passed by unless named: a ksqlDB that runs at the standby would write to the mirrors.',
        'Name the command topic when ksqlDB at the standby is only started after a failover.',
      ],
      patterns: [],
      optional: ksql.filter(name => name.startsWith('_confluent-ksql-') && name.includes('command_topic')),
    },
    {
      program: 'Kafka Streams',
      topics: streams,
      advice: [
        'Mirrored: with equal offsets the applications go on from their changelogs.',
        'They can be left out where the state may be rebuilt from the input topics.',
      ],
      patterns: [],
      optional: ['!*-changelog', '!*-repartition'],
    },
    {
      program: 'MirrorMaker 2',
      topics: [...mirrorMaker, ...copies],
      advice: [
        'Its own topics are passed by.',
        ...(copies.length === 0
          ? []
          : ['Topics that it copied here from elsewhere are left out: they have a writer already.']),
      ],
      patterns: aliases
        .filter(alias => copies.some(name => name.startsWith(`${alias}.`)))
        .map(alias => `!${alias}.*`),
      optional: [],
    },
    {
      program: 'Confluent Platform',
      topics: confluent,
      advice: ['Passed by: licence, metrics and balancing belong to that cluster.'],
      patterns: [],
      optional: [],
    },
    {
      program: 'Cruise Control',
      topics: cruiseControl,
      advice: ['Left out: what it measures are the brokers of that cluster.'],
      patterns: cruiseControl.some(isBroadlyTaken) ? ['!strimzi.cruisecontrol.*'] : [],
      optional: [],
    },
    {
      program: 'Strimzi',
      topics: strimzi,
      advice: ["Left out: its operator's own memory of that cluster."],
      patterns: strimzi.filter(isBroadlyTaken).map(name => `!${name}`),
      optional: [],
    },
  ]
  return families.filter(family => family.topics.length > 0)
}

/** "*" passes by `__*`. */
function isBroadlyTaken(name: string): boolean {
  return !name.startsWith('__')
}

/** `east` in `east.heartbeats` and `east.checkpoints.internal`: the alias that MirrorMaker puts before copies. */
function aliasesIn(name: string): string[] {
  const alias = /^(.+)\.(heartbeats|checkpoints\.internal)$/.exec(name)?.[1]
  return alias === undefined ? [] : [alias]
}
