// long: because the rows are read together.
// Every way to go wrong that kdr must withstand, by id: what happens, and what kdr must do. A row has a test with its id in
// the name (fault-rows.ts), or a reason why not; test/reliability.test.ts says so. S: the source's log, T: the target,
// G: consumer groups, C: configs, rights and users, N: network and time, P: processes and operators.

export type FaultTableRow = {
  readonly id: string
  readonly fault: string
  readonly must: string
  /** Why no test shows it, in a sentence. */
  readonly untested?: string
}

export const FAULT_TABLE: readonly FaultTableRow[] = [
  {
    id: 'S01',
    fault: "a source partition's leader moves cleanly while it is fetched",
    must: 'find the new leader and go on at the same offset: nothing missing, nothing twice',
  },
  {
    id: 'S02',
    fault: "a source leader is killed; the new one's high watermark lags behind",
    must: 'wait, keep the position, and never take it for the end of the log',
  },
  {
    id: 'S03',
    fault: 'an unclean election at the source: records that were copied vanish, others take their offsets',
    must: 'stop the partition as `truncated`, with the offsets; append nothing of the new history to the old one',
  },
  {
    id: 'S04',
    fault: 'the source is truncated above the position of the copy',
    must: 'copy what stands there now; nothing that was copied is touched',
  },
  {
    id: 'S05',
    fault: 'retention at the source deletes what was not copied yet',
    must: 'stop the partition as `lost-to-retention` with the exact range; go on when a person accepts the loss, and keep it in the ledger',
  },
  {
    id: 'S06',
    fault: 'somebody deletes records at the source (DeleteRecords) that were copied',
    must: "move the mirror's log start along; no loss is reported; a jump over most of the mirror waits for a person",
  },
  {
    id: 'S07',
    fault: 'a topic is deleted at the source',
    must: 'say `source-deleted`, keep the mirror with all its records',
  },
  {
    id: 'S08',
    fault: 'a topic is deleted at the source and created again under the same name',
    must: 'stop it as `recreated`; never append the new topic to the log of the old one',
  },
  {
    id: 'S09',
    fault: 'a topic is created again with more records than were copied of the old one',
    must: 'stop it as `recreated`, by its id: offsets alone cannot tell',
  },
  {
    id: 'S10',
    fault: 'partitions are added at the source',
    must: 'add them to the mirror within 5 s, and copy them from their start',
  },
  {
    id: 'S11',
    fault: 'a topic is created again with fewer partitions, or the mirror has more than the source',
    must: 'refuse it with both numbers; the other topics go on',
  },
  {
    id: 'S12',
    fault:
      'compaction leaves holes, thinned and empty batches at the source, before and after they are copied',
    must: 'keep every offset; what the source compacts later is no difference',
  },
  {
    id: 'S13',
    fault: 'the source drops tombstones after they were copied',
    must: 'the mirror may keep them; the latest value of each key is the same on both sides',
  },
  {
    id: 'S14',
    fault: 'a transaction is open when the source is lost',
    must: 'copy nothing of it; no transaction hangs at the target; what was committed is whole',
  },
  {
    id: 'S15',
    fault: 'aborted transactions at the source',
    must: 'no reader of the target sees their records; all offsets stay the same',
  },
  {
    id: 'S16',
    fault: "a hanging transaction holds the source's last stable offset",
    must: "go on waiting, and name the partition, the producer, the age, and Kafka's own command against it",
  },
  {
    id: 'S17',
    fault: 'the source is lost in the middle of a transaction over several partitions',
    must: 'each partition is cut at its own offset; a transaction may be whole in one and absent in another',
  },
  {
    id: 'S18',
    fault: 'a batch at the source does not match its checksum: a flipped bit on the disk or on the line',
    must: 'never write it; read it again; if it stays, stop that partition as `corrupt`, and no other',
  },
  {
    id: 'S19',
    fault: 'a batch that is larger than the limit of a fetch, and larger than the default limit of a topic',
    must: 'copy it whole',
  },
  {
    id: 'S20',
    fault: 'record formats before Kafka 0.11 (magic 0 and 1)',
    must: 'copy them, framed anew: the same offsets, keys, values and timestamps',
  },
  {
    id: 'S21',
    fault: 'the source stamps records with the time of their append (LogAppendTime)',
    must: 'a consumer of the target reads the same timestamps',
  },
  {
    id: 'S22',
    fault: 'records with timestamps far in the past and in the future',
    must: 'copy them; the target neither refuses nor deletes them',
  },
  {
    id: 'S23',
    fault: 'a compression that the target does not take',
    must: 'stop the partition as `target-refuses` with the reason; the others go on',
  },
  {
    id: 'S24',
    fault: 'tiered storage at the source: the log starts in the remote tier, not on the disk',
    must: 'copy from the first offset that a consumer can read, not from the first on the disk',
  },
  {
    id: 'S25',
    fault: "a quota at the source slows kdr's reading down",
    must: 'only the lag grows; nothing is skipped, and no request is repeated in haste',
  },
  {
    id: 'S26',
    fault: 'the source forgets a fetch session (errors 70, 71, 106)',
    must: 'fetch on without a gap',
  },
  {
    id: 'S27',
    fault: 'a replica that lags behind answers a fetch',
    must: "never take a follower's end for the end of the log",
  },
  {
    id: 'S28',
    fault: 'topic names that differ in `.` and `_` only, names of 249 characters, internal topics',
    must: 'each topic has its own mirror under its own name; internal ones are left out unless named',
  },
  {
    id: 'S29',
    fault: 'too few replicas in sync at the source: its log grows, its high watermark stands still',
    must: 'copy up to the high watermark, report no lag for what nobody can read, and go on when it moves',
  },
  {
    id: 'T01',
    fault: "a target partition's leader stops or dies during an append, and the answer is lost",
    must: "find the log's true end before anything is sent again: nothing missing, nothing twice",
  },
  {
    id: 'T02',
    fault: 'an unclean election at the target: records that were acknowledged vanish',
    must: 'find the shorter log, check what is left, copy the rest again',
  },
  {
    id: 'T03',
    fault: 'too few replicas in sync at the target',
    must: 'try again for as long as it takes; what may have been appended is looked up first',
  },
  {
    id: 'T04',
    fault: 'somebody else writes to a mirror',
    must: 'stop the partition with both offsets; the others go on',
  },
  {
    id: 'T05',
    fault: 'a topic of the same name stands at the target: not empty, or of another shape',
    must: 'refuse it with the first difference; adopt it only when it is verified to be a prefix of the source',
  },
  {
    id: 'T06',
    fault: 'the target creates topics by itself, with its own defaults',
    must: 'create each mirror with its own configs before anything is written',
  },
  {
    id: 'T07',
    fault: 'the target refuses a batch as too large',
    must: 'stop the partition as `too-large`, name the config to change; go on after it was changed',
  },
  {
    id: 'T08',
    fault: "a quota at the target slows kdr's writing down",
    must: 'only the lag grows',
  },
  {
    id: 'T09',
    fault: "the target's disk is full, or a log folder goes offline",
    must: 'the partitions on it wait, the others go on; they go on by themselves after a restart',
  },
  {
    id: 'T10',
    fault: 'retention at the target deletes what was just restored, because it is old',
    must: 'nothing goes while it is written, nor right after it: the topic stays without retention, and the plan says how to give it back',
  },
  {
    id: 'T12',
    fault: "another producer has the link's producer id, or fences it",
    must: 'append nothing wrong; stop with a sentence',
  },
  {
    id: 'T13',
    fault: 'the target forgets the producer (`producer.id.expiration.ms`)',
    must: "go on at the log's true end: nothing missing, nothing twice",
  },
  {
    id: 'T14',
    fault: 'a source with very many producer ids',
    must: 'the target keeps the state of one producer for the link',
  },
  {
    id: 'T15',
    fault: 'somebody deletes a mirror topic and creates it again',
    must: 'stop it as `recreated`, write nothing to it',
  },
  {
    id: 'T16',
    fault: 'an address leads to another cluster than the recorded one',
    must: 'refuse, exit 10; change nothing',
  },
  {
    id: 'T17',
    fault: 'a cluster restored from a copy of its disks: the same cluster id lives twice',
    must: 'notice that it is not the one that the link has written to',
  },
  {
    id: 'G01',
    fault: 'a consumer group has members at the target',
    must: 'leave its offsets alone and say so; take it up again when they have left',
  },
  {
    id: 'G02',
    fault: 'a group has committed in a topic or partition that the target does not have yet',
    must: 'hold these offsets until it is there; never drop them silently',
  },
  {
    id: 'G03',
    fault: 'a group at the source is beyond what the target holds',
    must: 'commit it where the mirror ends, and move it up as data arrives',
  },
  {
    id: 'G04',
    fault: "a group is below the mirror's log start",
    must: 'commit it at the log start and say so',
  },
  {
    id: 'G05',
    fault: 'committed offsets carry leader epochs, which mean something at the source only',
    must: 'commit with epoch -1, for classic and consumer groups alike',
  },
  {
    id: 'G06',
    fault: 'the target forgets the offsets of a group that nobody uses (`offsets.retention.minutes`)',
    must: 'commit them again before',
  },
  {
    id: 'G07',
    fault: 'a group is set back, or it or one of its offsets is deleted at the source',
    must: 'set it back at once; delete an hour later what kdr has committed, and nothing else',
  },
  {
    id: 'G08',
    fault: 'share groups and streams groups',
    must: 'say that they are not carried, and why',
  },
  {
    id: 'G09',
    fault: 'a transaction has a commit of offsets under way',
    must: 'wait for its end; other groups do not',
  },
  {
    id: 'G10',
    fault: "a group's coordinator is away, moves or loads",
    must: 'try again until it answers; nothing is taken for deleted meanwhile',
  },
  {
    id: 'G11',
    fault: '10,000 groups with 10 partitions each',
    must: 'carry all over in 30 s, then take less than a tenth of a core',
  },
  {
    id: 'N01',
    fault: 'no connection between kdr and the source, for a long time',
    must: 'say `unreachable`; the clock of the lag runs; go on by itself when the line is back',
  },
  {
    id: 'N03',
    fault: 'the bootstrap address answers, the brokers that it names do not (wrong advertised.listeners)',
    must: 'name the address that does not answer',
  },
  {
    id: 'N04',
    fault: 'a black hole, half-open connections, resets in the middle of an answer, one byte at a time',
    must: 'give up in bounded time and connect anew; decode whatever the pieces are; identical in the end',
  },
  {
    id: 'N06',
    fault: 'a name that does not resolve for a while, or one of its addresses is dead',
    must: 'try every address, resolve anew at each connection, go on when it resolves again',
  },
  {
    id: 'N09',
    fault: 'the clock of kdr or of a cluster jumps',
    must: 'durations and the lease do not notice; no false lag, nothing written out of turn',
  },
  {
    id: 'N10',
    fault: 'an address that leads to a foreign cluster in the middle of a run',
    must: 'notice it in the next metadata, and write nothing there',
  },
  {
    id: 'N11',
    fault: 'brokers are replaced by an older version while kdr runs',
    must: 'agree on the versions anew for each connection',
  },
  {
    id: 'P01',
    fault: 'kdr is killed at any moment',
    must: 'the next one goes on at the true end: identical in the end',
  },
  {
    id: 'P02',
    fault: 'kdr stands still (SIGSTOP, a paused machine), another takes over, the first wakes',
    must: 'the one that woke writes nothing and gives way',
  },
  {
    id: 'P11',
    fault: 'links in a circle',
    must: 'refuse them before anything is made',
  },
  {
    id: 'P03',
    fault: 'two controllers of one run: the first is frozen, another takes over, the first wakes',
    must: 'refuse the second while the first lives; once it is taken over the first stops and changes nothing more',
  },
  {
    id: 'P05',
    fault: 'a failover is asked for while the standby lacks records that the old active still has',
    must: 'say exactly what would be lost, by partition, before it is approved and after',
  },
  {
    id: 'P06',
    fault: 'the controller of a run is killed at a step',
    must: 'go on from there when it is resumed, and come to the same end',
  },
  {
    id: 'P07',
    fault: 'a run begins while applications may go on writing to the old active',
    must: 'stop with exit 15 before the link is fenced, unless that is accepted; given up, the link goes on as before',
  },
  {
    id: 'P08',
    fault: 'the old active of a failover comes back while the run is under way, or after it',
    must: 'fence its applications before anything else; before the standby is promoted stop first, and ask (exit 21); go on copying nothing from it',
  },
  {
    id: 'P09',
    fault: 'after a failover the old active comes back with records that were never copied',
    must: 'say of each partition whether it diverged, by how many records and from when to when; export them before anything is touched; copy anew only what was approved',
  },
  {
    id: 'P10',
    fault: 'applications move there and back, again and again, under load',
    must: 'identical logs each time, nothing lost, nothing repeated, and no growth but one marker a move',
  },
  {
    id: 'P12',
    fault: 'little memory, a slow target, many partitions far behind',
    must: 'bounded buffers: at most 400 MB with 1,000 partitions',
  },
  {
    id: 'P16',
    fault: 'the config is reloaded with an error in it',
    must: 'keep the old one and say so, with line and column',
  },
  {
    id: 'P17',
    fault: 'a person picks the wrong direction or cluster',
    must: 'show names and ids, ask for approval, refuse what does not fit',
  },
  {
    id: 'P20',
    fault: "kdr's event loop stands still for seconds",
    must: 'the lease is asked for again before anything is written; identical in the end',
  },
  {
    id: 'C01',
    fault: 'configs, ACLs or quotas drift at the target after the link was made',
    must: 'say what differs; fight over nothing that others have set, and keep the rules that the source has',
  },
  {
    id: 'C02',
    fault: 'kdr loses a right midway: to read a topic, to see ACLs, to change them',
    must: 'say which one; skip nothing, take no rule away for it, and go on by itself when the right is back',
  },
  {
    id: 'C03',
    fault: 'SCRAM users: no cluster tells their passwords',
    must: 'name those that the target lacks; make those whose secret the config names, and prove them with a login; print no secret',
  },
  {
    id: 'C04',
    fault: 'client quotas change at the source',
    must: 'follow them, the defaults included; leave what the target has set itself, and name it',
  },
  {
    id: 'B01',
    fault: 'the store refuses for a while (503), or connections to it break',
    must: 'ask again, later and later; a run that gives up leaves what was committed, and the next one goes on',
  },
  {
    id: 'B02',
    fault: 'the store does what it was asked, and the answer is lost',
    must: 'find out that it was done: nothing is written twice, and no other writer is blamed',
  },
  {
    id: 'B03',
    fault: 'a byte of an object changes, or an object is cut short',
    must: 'verify names the object and what it costs; a reader refuses what is damaged, and reads the rest',
  },
  {
    id: 'B05',
    fault: 'a listing misses the newest objects',
    must: 'find the newest commit all the same; nothing that it misses is taken for garbage',
  },
  {
    id: 'B07',
    fault: 'somebody, or a lifecycle rule of the store, deletes an object that is needed',
    must: 'the cheap verify names it and what it costs, and nothing is pruned any more',
  },
  {
    id: 'B08',
    fault: 'a backup is killed between a segment and its commit',
    must: 'leave what was committed; what it has written counts for nothing, and a later prune takes it',
  },
  {
    id: 'B09',
    fault: 'two backups of one set run at once',
    must: 'at most one of them makes the next commit, the other ends with exit 13; nothing is lost',
  },
  {
    id: 'B10',
    fault: 'a restore is killed, at any of its requests',
    must: 'the same command goes on, and the cluster then holds what the commit holds, with nothing of kdr left',
  },
  {
    id: 'B11',
    fault: 'a topic that is to be restored is there already, and is not empty',
    must: 'refuse before anything is written (exit 12); beside it, under another name, it can be restored',
  },
]
