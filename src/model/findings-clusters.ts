// What can be wrong with a cluster: the part of the table of findings that is about topics, brokers, controllers and racks.
import type { FindingSpec } from './findings.ts'

const topicConfig = (change: string): string =>
  `kafka-configs.sh {at} --alter --entity-type topics --entity-name {topic} --add-config ${change}`
const brokerConfig = (change: string): string =>
  `kafka-configs.sh {at} --alter --entity-type brokers --entity-default --add-config ${change}`
const SPREAD =
  'kdr check --cluster {cluster} --plan {plan} && kafka-reassign-partitions.sh {at} --reassignment-json-file {plan} --execute'

export const ofClusters = {
  C001: {
    severity: 'error',
    title: 'a cluster cannot be reached',
    cause:
      'No broker of the cluster answers kdr, or the credentials of the config are refused. Nothing else is known of it: what its other findings would be, nobody can say.',
    wayOut:
      'Check the address, the port, the network path, and `tls` and `sasl` of the cluster in the config.',
  },
  C002: {
    severity: 'warning',
    title: 'something could not be looked at',
    cause:
      'kdr lacks a right, a broker or a standby did not answer one request, or it is too old to be asked. The findings that depend on it may be missing, so "no finding" would not be the truth.',
    wayOut: 'Give kdr what the message names; `kdr config acls --for check` prints all that a check needs.',
  },
  C003: {
    severity: 'warning',
    title: 'fewer than three brokers',
    cause:
      'With three replicas of which two must be in sync, a cluster goes on and loses nothing while one broker is away. That takes three brokers; with fewer, the other findings measure against what so many can give.',
    wayOut: 'Add brokers until there are three, best in three racks, then raise the replication factor.',
  },
  C004: {
    severity: 'error',
    title: 'a broker is missing',
    cause:
      'Partitions have replicas on a broker that the cluster does not list as alive. Each of them has one copy less, and one more loss may stop or lose it.',
    wayOut:
      'Start the broker again. If it is gone for good, move its replicas to others: kafka-reassign-partitions.sh.',
  },
  C005: {
    severity: 'error',
    title: 'a broker does not answer',
    cause:
      'The cluster lists the broker as alive, and kdr cannot reach it: it hangs, or the network between it and kdr is cut, and then perhaps applications see the same.',
    wayOut: 'Look at the log and the process of the broker, and at the network path to what it advertises.',
  },
  C010: {
    severity: 'error',
    title: 'a partition has no leader',
    cause: 'All in-sync replicas of the partition are away: nobody can read or write it.',
    wayOut:
      'Start the brokers of its replicas. Only if they are lost for good: elect another replica, which loses what it does not have (kafka-leader-election.sh --election-type unclean).',
  },
  C011: {
    severity: 'error',
    title: 'fewer replicas in sync than writes need',
    cause:
      'Fewer replicas are in sync than `min.insync.replicas` asks for: writes with `acks=all` are refused, and kdr cannot copy into such a mirror.',
    wayOut:
      'Bring the brokers that the evidence names back, or see why they do not keep up (disk, network, `num.replica.fetchers`).',
  },
  C012: {
    severity: 'warning',
    title: 'too few replicas',
    cause:
      'With one replica, the loss of its broker is the loss of its records, acknowledged ones included. With two, nothing may be written safely while one is away.',
    wayOut:
      'Let kdr write a plan, look at it, and carry it out; after it `--verify` instead of `--execute` says when it is done. It copies data between brokers: mind `--throttle`.',
    command: SPREAD,
  },
  C013: {
    severity: 'warning',
    title: 'one replica in sync is enough for a write',
    cause:
      '`min.insync.replicas` is 1: a write with `acks=all` is acknowledged while its leader alone has it, and is lost with that broker.',
    wayOut: 'Ask for two replicas in sync.',
    command: topicConfig('min.insync.replicas={wanted}'),
    safeFix:
      'Where all replicas of the topic are in sync, so that no write is refused by it, and there is one replica more than must be. Not on a mirror: its source decides.',
  },
  C014: {
    severity: 'warning',
    title: 'no broker may be away',
    cause:
      '`min.insync.replicas` equals the number of replicas: while any one of their brokers is away, be it for a restart, nothing can be written with `acks=all`.',
    wayOut: 'Have one replica more than must be in sync: lower the one, or raise the other.',
    command: topicConfig('min.insync.replicas={wanted}'),
  },
  C015: {
    severity: 'warning',
    title: 'more replicas must be in sync than there are',
    cause:
      '`min.insync.replicas` is larger than the number of replicas. Brokers then take that number for it: nothing may be written with `acks=all` while any one replica is away, and a topic of one replica is not safer for it.',
    wayOut: 'Lower it below the number of replicas, or have more replicas.',
    command: topicConfig('min.insync.replicas={wanted}'),
  },
  C016: {
    severity: 'warning',
    title: 'replicas are not in sync',
    cause:
      'A follower is away or does not keep up. Writes go on, and there is one copy less of what is written now.',
    wayOut:
      'Bring the brokers that the evidence names back, or see why they do not keep up (disk, network, a throttle that was left behind).',
  },
  C017: {
    severity: 'error',
    title: 'acknowledged records may be thrown away',
    cause:
      '`unclean.leader.election.enable` lets a replica that is not in sync become leader: what it does not have is gone, though it was acknowledged; a mirror then has records that its source denies.',
    wayOut: 'Turn it off.',
    command: topicConfig('unclean.leader.election.enable=false'),
    safeFix:
      'It takes a way to lose records away, and changes nothing else. Not on a mirror: its source decides.',
  },
  C018: {
    severity: 'info',
    title: 'leaders are not where they are meant to be',
    cause:
      'After a restart leaders stay where they have moved, until somebody elects the preferred ones. Load is uneven, and the loss of one broker hits more partitions than it must.',
    wayOut: 'Elect the preferred leaders.',
    command: 'kafka-leader-election.sh {at} --election-type preferred --all-topic-partitions',
    safeFix:
      'Only replicas that are in sync are elected: nothing is lost and nothing copied, clients ask for the new leader once.',
  },
  C020: {
    severity: 'error',
    title: 'an internal topic has too few replicas',
    cause:
      'Consumer offsets, transactions and share groups live in internal topics. When a partition of one is lost, its groups begin anew and its transactions never end; a standby without them cannot be promoted.',
    wayOut: 'Give it as many replicas as there are brokers, up to three: let kdr write the plan.',
    command: SPREAD,
  },
  C021: {
    severity: 'warning',
    title: 'internal topics will be made with too few replicas',
    cause:
      'The internal topic does not exist yet. The first consumer or transaction makes it with what the brokers are configured for, and it keeps that.',
    wayOut:
      'Set it in server.properties of every broker, and restart one after the other; an internal topic that is there already keeps what it has.',
  },
  C022: {
    severity: 'warning',
    title: 'topics come into being by a typing mistake',
    cause:
      'With `auto.create.topics.enable` whoever asks for a topic makes it, with the defaults of the brokers. At a standby a client that is redirected too early makes a topic where a mirror should be (`foreign-write`, `not-empty`).',
    wayOut:
      'Set auto.create.topics.enable=false in server.properties of every broker, and restart one after the other.',
  },
  C023: {
    severity: 'warning',
    title: 'offsets of idle groups are forgotten soon',
    cause:
      'A group without members loses its offsets after `offsets.retention.minutes`. While applications are down after a disaster, none has members.',
    wayOut:
      'Keep them for a week at least: offsets.retention.minutes=10080 in server.properties of every broker, and restart one after the other.',
  },
  C024: {
    severity: 'warning',
    title: 'new topics get too few replicas',
    cause:
      'The defaults of the brokers are below what is asked for: topics that are made without a word about replicas, by applications, Streams or Connect, are weaker than the others.',
    wayOut: 'Set it in server.properties of every broker, and restart one after the other.',
  },
  C025: {
    severity: 'warning',
    title: 'records may be thrown away in topics that do not say otherwise',
    cause: '`unclean.leader.election.enable` is on by default: see C017.',
    wayOut: 'Turn it off.',
    command: brokerConfig('unclean.leader.election.enable=false'),
    safeFix:
      'It takes a way to lose records away, for all brokers at once and without a restart. Not where one broker has a value of its own, which would win.',
  },
  C030: {
    severity: 'warning',
    title: 'brokers are configured differently',
    cause:
      'A value was changed at one broker and not at the others: what happens then depends on who leads, and changes with a restart.',
    wayOut:
      'Make them equal: those that can be changed while a broker runs with the command, others in server.properties.',
    command: brokerConfig('{name}={value}'),
  },
  C031: {
    severity: 'warning',
    title: 'brokers run different versions',
    cause:
      'An upgrade was begun and not finished. What the newest can do is not to be relied on, and a restart may change what a request gets for an answer.',
    wayOut: 'Upgrade the brokers that the evidence names.',
  },
  C032: {
    severity: 'info',
    title: 'an upgrade was not finished',
    cause:
      'All brokers know a newer level of a feature than the cluster has. Going back is possible until it is raised, and new abilities wait for it.',
    wayOut: 'When going back is out of the question, raise it.',
    command: 'kafka-features.sh {at} upgrade --feature {feature}={level}',
  },
  C033: {
    severity: 'error',
    title: 'a disk of a broker has failed',
    cause: 'The broker has taken a log directory offline: the replicas on it are gone until it is mended.',
    wayOut: 'Replace the disk, and restart the broker: it fetches its replicas again.',
  },
  C034: {
    severity: 'warning',
    title: 'a disk of a broker is nearly full',
    cause:
      'A broker whose log directory is full stops. All brokers of a cluster fill alike, so that they tend to stop together.',
    wayOut: 'Make room: more disk, shorter retention, or replicas moved to brokers that have room.',
  },
  C035: {
    severity: 'warning',
    title: 'a certificate is about to expire',
    cause: 'From that moment on no client, no broker and no kdr that checks it gets a connection.',
    wayOut: 'Renew it, and have the broker load it: a restart, or the dynamic config of its keystore.',
  },
  C040: {
    severity: 'error',
    title: 'a controller does not keep up',
    cause:
      'A voter of the metadata quorum is away or behind. When as few as half of the voters are left, no leader can be elected in the whole cluster.',
    wayOut: 'Start the controller that the evidence names, or see why it is behind.',
  },
  C041: {
    severity: 'warning',
    title: 'the controllers do not survive the loss of one',
    cause:
      'With one voter the cluster stands still without it; with two, as soon as either is away. Three survive the loss of one.',
    wayOut: 'Have three controllers, or five.',
  },
  C042: {
    severity: 'error',
    title: 'the metadata quorum has no leader',
    cause:
      'No controller leads: topics, leaders and configs cannot change, and a broker that goes away stops its partitions.',
    wayOut: 'Start the controllers; more than half of them must run.',
  },
  C050: {
    severity: 'warning',
    title: 'some brokers have no rack',
    cause: 'Replicas are spread over racks only when every broker says where it stands (`broker.rack`).',
    wayOut: 'Set `broker.rack` in server.properties of every broker, and restart one after the other.',
  },
  C051: {
    severity: 'warning',
    title: 'all replicas are in one rack',
    cause: 'The loss of the rack is the loss of the topic, for as long as it lasts or for good.',
    wayOut:
      'Let kdr write a plan, look at it, and carry it out. It copies data between brokers: mind `--throttle`.',
    command: SPREAD,
  },
  C052: {
    severity: 'warning',
    title: 'the loss of one rack stops writes',
    cause:
      'In some partitions too few replicas stand outside the rack: without it, writes with `acks=all` are refused.',
    wayOut:
      'Let kdr write a plan, look at it, and carry it out. It copies data between brokers: mind `--throttle`.',
    command: SPREAD,
  },
  C053: {
    severity: 'warning',
    title: 'the loss of one rack stops the controllers',
    cause: 'Half of the voters or more stand in one rack: without it no leader can be elected anywhere.',
    wayOut: 'Spread the controllers over three racks, so that two of three racks hold more than half.',
  },
  C054: {
    severity: 'warning',
    title: 'the closest replica is not read',
    cause:
      'The config has a `rack` for the cluster, and no broker is in it, or brokers elsewhere do not send readers to their rack (`replica.selector.class`). Records come from leaders in other racks, as if it were not set: nothing is lost, but traffic between zones costs money in a cloud.',
    wayOut:
      'Write `rack` in the config as `broker.rack` of the brokers has it, and set `replica.selector.class=org.apache.kafka.common.replica.RackAwareReplicaSelector` in server.properties of every broker; or take `rack` out of the config.',
  },
  C060: {
    severity: 'info',
    title: 'somebody writes without a producer id',
    cause:
      'Such a producer is not idempotent: a retry may write records twice, and nobody can see with which `acks` it writes. With `acks=1`, what its leader alone has is lost with that broker. Looked at with `--producers`, among the last 1,000 offsets of each partition.',
    wayOut:
      'Set `enable.idempotence=true` at the producer (the default of Java clients since 3.0; it implies `acks=all`).',
  },
  C061: {
    severity: 'warning',
    title: 'a transaction is open for long',
    cause:
      'Read-committed readers, kdr among them, wait at its first record: everything behind it is not copied, and would be lost with the cluster.',
    wayOut:
      'End it in its application, or let its coordinator abort it after its time-out; one that hangs: kafka-transactions.sh abort.',
  },
  C062: {
    severity: 'warning',
    title: 'a new producer for nearly every write',
    cause:
      'In the last 1,000 offsets of a partition nearly every batch has a producer id of its own: an application makes a producer for each message or job. Brokers remember each for `producer.id.expiration.ms` (a day): their memory fills, they start slowly, and in the end run out of it. Looked at with `--producers`.',
    wayOut:
      'Let each process of the application have one producer for as long as it lives. Until then, let brokers forget sooner: `producer.id.expiration.ms`, which may be changed while they run.',
  },
} as const satisfies Record<string, FindingSpec>
