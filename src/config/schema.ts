// The one description of `kdr.yaml`. Validation, the JSON Schema for editors, `config explain` and the reference page all
// come from it. Objects are strict: a key that nobody reads is a typo, and a typo in a disaster-recovery config is found
// on the worst day. Keys of later releases are checked in shape and then only noted.

import { z } from 'zod'
import { PRIORITIES } from '../model/link-settings.ts'
import { VERSION } from '../model/versioned.ts'
import { alerts } from './schema-alerts.ts'
import { saslSchema, tlsSchema } from './schema-login.ts'
import { plan } from './schema-plan.ts'
import { keep, vault } from './schema-vault.ts'
import {
  address,
  addresses,
  day,
  duration,
  durationOrNever,
  findingId,
  later,
  name,
  patterns,
  refuseCredentials,
  schedule,
  secret,
  size,
  text,
} from './values.ts'

const CONSUMERS = ['stop', 'fence', 'leave'] as const

const SCRAM = ['scram-sha-256', 'scram-sha-512'] as const

const scram = z
  .preprocess(
    value => (typeof value === 'string' ? value.toLowerCase().replaceAll('_', '-') : value),
    z.enum(SCRAM, { error: `expected one of ${SCRAM.join(', ')}` }),
  )
  .meta({ description: 'How it authenticates; in any case.' })

const principal = z.string().regex(/^[^:\s]+:./, { error: 'a principal has a type and a name: `User:app`' })

const choice = <const T extends readonly string[]>(values: T, description: string) =>
  z.enum(values).meta({ description })

const command = (description: string) => text(description)

/** `directory`: where the config file is; relative `file:` references start there. */
export function configSchema(directory: string) {
  const sasl = saslSchema(directory)
  const tls = tlsSchema(directory)

  const cluster = z.strictObject({
    bootstrap: addresses('Where to find the cluster: `host:port`, separated by commas.'),
    rack: text('')
      .meta({
        description:
          'Fetch from the closest replica: the rack that kdr is in, as `broker.rack` of the brokers names it. They must have `replica.selector.class`.',
      })
      .optional(),
    tls: tls.optional(),
    sasl: sasl.optional(),
    schemaRegistry: z
      .strictObject({
        url: text('Its address.').superRefine(refuseCredentials),
        username: text('For basic authentication.').optional(),
        password: secret(directory, 'For basic authentication.').optional(),
      })
      .meta({ description: 'The Schema Registry that belongs to the cluster.', ...later })
      .optional(),
  })

  const override = z.strictObject({
    topics: patterns('any', 'Which of the mirrored topics.'),
    replicationFactor: z
      .int({ error: 'expected a whole number' })
      .min(1, { error: 'must be at least 1' })
      .max(32767, { error: 'must be at most 32767' })
      .meta({ description: 'Instead of the one at the source.' })
      .optional(),
    configs: z
      .record(
        z.string(),
        z
          .union([z.string(), z.number(), z.boolean()], { error: 'expected text, a number or a truth value' })
          .transform(String),
      )
      .meta({ description: 'Topic configs at the target that differ from the source.' })
      .prefault({}),
  })

  const priority = z.strictObject({
    topics: patterns('any', 'Which of the mirrored topics.'),
    priority: choice(PRIORITIES, 'Among those that are far behind, `high` is copied first and `low` last.'),
  })

  const sync = z
    .strictObject({
      configs: duration('Topic configs.').prefault('30s'),
      acls: duration('ACLs.').prefault('30s'),
      quotas: duration('Client quotas, and which SCRAM users there are.').prefault('30s'),
      groups: duration('Committed offsets of consumer groups.').prefault('5s'),
    })
    .meta({ description: 'How often each kind of thing is carried over.' })

  const fence = z
    .strictObject({
      acl: z
        .boolean()
        .meta({ description: 'Deny writes with ACLs, to one principal after the other.' })
        .prefault(true),
      command: command('Stops the writers.').optional(),
      probe: z
        .strictObject({ sasl })
        .meta({
          description:
            "An application's credentials: that it cannot write any more is proven with them. Nothing is ever appended.",
        })
        .optional(),
    })
    .meta({ description: 'How writers at the old active are stopped.' })

  const dns = z.strictObject({
    server: address('The primary name server of the zone; it is updated over TCP (RFC 2136).'),
    zone: text('The zone, as the server has it.'),
    record: text(
      'The record, in the zone or in full. It keeps its TTL: how long clients may go on to the old cluster.',
    ),
    tsig: secret(
      directory,
      'The TSIG key: what `tsig-keygen` prints, or `hmac-sha256:NAME:SECRET`. It needs the record, and a TXT record `_kdr.<record>` for which run moved it last.',
    ).optional(),
    values: z.record(z.string(), z.array(z.string())).meta({
      description:
        'What the record says, by cluster: addresses of bootstrap servers, or one full name (a CNAME). Both clusters of the link need them; so does one that the link follows (`kdr link follow`).',
    }),
  })

  const redirect = z
    .strictObject({
      dns: dns.optional(),
      command: z
        .strictObject({
          apply: command(
            'Leads applications to `$KDR_STANDBY` (at `$KDR_BOOTSTRAP`); may be run twice. Runs in the folder of the config; `$KDR_FACTS` has all facts as JSON.',
          ),
          verify: command('Ends with 0 when they are led there.').optional(),
          undo: command('Leads them back to `$KDR_ACTIVE`.').optional(),
        })
        .optional(),
      template: z
        .strictObject({
          from: text(
            'The template: `{{bootstrap}}`, `{{active}}`, `{{standby}}`, `{{link}}`, `{{generation}}`, `{{run}}`, `{{kind}}`.',
          ),
          to: text('The file to write, in one step. The old one is kept beside it as `*.kdr-before-RUN`.'),
        })
        .optional(),
    })
    .superRefine((value, context) => {
      if (Object.values(value).filter(part => part !== undefined).length !== 1) {
        context.addIssue({ code: 'custom', message: 'expected exactly one of `dns`, `command`, `template`' })
      }
    })

  const link = z.strictObject({
    source: name.meta({ description: 'The cluster to copy from: the home direction.' }),
    target: name.meta({ description: 'The cluster to copy to.' }),
    mode: choice(
      ['exact', 'shared'],
      '`exact`: equal offsets, the mirror has one writer. `shared`: both sides write (a later release).',
    ).prefault('exact'),
    topics: patterns('topics', 'Which topics; the last pattern that matches wins, `!x` excludes.').prefault([
      '*',
    ]),
    groups: patterns('groups', 'Which consumer groups.').prefault(['*']),
    overrides: z
      .array(override)
      .meta({ description: 'What differs at the target; later entries win.' })
      .prefault([]),
    priorities: z
      .array(priority)
      .meta({
        description:
          'Which topics are caught up with first; later entries win. A topic that keeps up with its source never waits for one that is behind, whatever their priorities.',
      })
      .prefault([]),
    onSourceDelete: z
      .union([z.literal('keep'), z.strictObject({ deleteAfter: duration('How long to wait.') })], {
        error: 'expected `keep` or { deleteAfter: 7d }',
      })
      .meta({ description: 'When a source topic is deleted: keep its mirror, or delete it after a while.' })
      .prefault('keep'),
    largeGap: choice(
      ['stop', 'markers', 'tombstones'],
      'A partition that needs more than 10 minutes of filling in all.',
    ).prefault('stop'),
    onOverfilled: choice(['stop', 'recopy'], 'A mirror whose log got longer than it should.').prefault(
      'stop',
    ),
    maxBytesPerSecond: size('Limit of what the link copies; none if absent.').optional(),
    connectionsPerBroker: z
      .int({ error: 'expected a whole number' })
      .min(3, { error: 'must be at least 3' })
      .max(64, { error: 'must be at most 64' })
      .meta({
        description:
          'How many connections may fetch from one source broker. Over a long line, where each carries little, as many are used as bring something; otherwise three.',
      })
      .prefault(16),
    sync: sync.prefault({}),
    denyWrites: z
      .boolean({ error: 'expected true or false' })
      .meta({
        description:
          "Deny everybody to write to mirrors, to delete or to alter them, with ACLs at the target, until they are promoted: only super users still can. Only where kdr's principal is a super user there, which it proves first; else it says so, and denies nothing.",
      })
      .prefault(false),
    fence: fence.prefault({}),
    consumers: z
      .union([z.enum(CONSUMERS), z.strictObject({ stop: command('Stops the consumers.') })], {
        error: 'expected `stop`, `fence`, `leave`, or { stop: COMMAND }',
      })
      .meta({
        description:
          'What happens to consumers before the final group sync of a switchover. `stop`: it is waited until they have been stopped; `{ stop: COMMAND }`: the command stops them; `fence`: they are denied their groups.',
      })
      .prefault('leave'),
    principals: z
      .record(principal, principal)
      .meta({
        description:
          'How principals of the source are called at the target, in ACLs, quotas and users: `User:app-east: User:app-west`.',
      })
      .prefault({}),
    users: z
      .record(
        z.string().min(1, { error: 'must not be empty' }),
        z.strictObject({
          mechanism: scram,
          password: secret(directory, 'Its password, proven with a login.'),
        }),
      )
      .meta({
        description:
          'SCRAM users, by their names at the target: made there if they are missing. Passwords cannot be read from the source.',
      })
      .prefault({}),
    redirect: z
      .array(redirect)
      .meta({ description: 'How applications are led to the new active, one after the other.' })
      .prefault([]),
  })

  const objectives = {
    rpo: duration('At most this much may be lost.').optional(),
    rto: duration('At most this long may it take; of a link or a plan, not of a topic.').optional(),
  }

  return z.strictObject({
    v: z
      .literal(VERSION, { error: `expected ${VERSION}` })
      .meta({ description: 'Version of the format.' })
      .prefault(VERSION),
    clusters: z.record(name, cluster).meta({ description: 'The clusters, by a name of your choice.' }),
    links: z
      .record(name, link)
      .meta({ description: 'What is copied where, by a name of your choice.' })
      .prefault({}),
    plans: z.record(name, plan).meta({ description: 'Links that move together.' }).prefault({}),
    vaults: z
      .record(name, vault)
      .meta({ description: 'Where backups are kept, by a name of your choice.' })
      .prefault({}),
    sets: z
      .record(
        name,
        z.strictObject({
          cluster: name.meta({ description: 'The cluster to back up.' }),
          vault: name.meta({ description: 'The vault that keeps it.' }),
          topics: patterns(
            'topics',
            'Which topics; the last pattern that matches wins, `!x` excludes.',
          ).prefault(['*']),
          every: schedule(
            'How often `kdr run` backs it up: a duration, `continuous`, or cron in UTC (`0 3 * * *`). None: `kdr backup run SET`, by a timer of your own.',
          ).optional(),
          maxBytesPerSecond: size('Limit of what is read for it; none if absent.').optional(),
          keep: keep.optional(),
          verify: duration(
            'How often `kdr run` verifies it in full, every byte: nothing else tells whether it would restore. None: `kdr backup verify SET --full`, by hand.',
          ).optional(),
        }),
      )
      .meta({ description: 'What is backed up, by a name of your choice.' })
      .prefault({}),
    objectives: z
      .array(
        z.strictObject({
          for: text('What it applies to: `*`, or patterns such as `link:east-west topic:pay-*`.'),
          ...objectives,
        }),
      )
      .meta({
        description:
          'What to achieve; the first that matches wins. `kdr check`, `kdr status` and `kdr report` hold links against it.',
      })
      .optional(),
    accept: z
      .array(
        z.strictObject({
          finding: findingId('Its id, such as `C012`: see docs/findings.'),
          where: text(
            'Where it is accepted, anywhere if absent: patterns such as `cluster:east topic:tmp-*`, each for one word of the `where` that `kdr check` shows.',
          ).optional(),
          until: day('From that day on (UTC) it counts again.').optional(),
          why: text('The reason.'),
        }),
      )
      .meta({ description: 'Findings of `kdr check` that are accepted: shown, and not counted.' })
      .optional(),
    alerts: alerts(directory).optional(),
    monitor: z
      .strictObject({
        every: duration(
          'How often each cluster is asked: metadata, groups and their offsets, ends of logs.',
        ).prefault('10s'),
        window: duration(
          'What the state of a group is judged by. Longer than twice the time between two commits of the slowest group.',
        ).prefault('10m'),
        groups: patterns('groups', 'Which consumer groups.').prefault(['*']),
        check: durationOrNever(
          'How often the whole `kdr check` is carried out, for metrics and alerts; a minute at least. Every 5 minutes while it finds an error, fails, or finds other things than before.',
        ).prefault('1h'),
      })
      .meta({
        description:
          'How `kdr run --only monitor`, and `kdr run` with a `server:` or `alerts:`, watch the clusters of the config.',
      })
      .prefault({}),
    server: z
      .strictObject({
        listen: address('Where metrics and health are served.').prefault('127.0.0.1:9464'),
        token: secret(directory, 'What a caller must show; none if absent.').optional(),
        perPartition: z
          .boolean()
          .meta({ description: 'Metrics of each partition; otherwise they are summed up by topic.' })
          .prefault(false),
      })
      .meta({ description: 'The HTTP server of `kdr run`, read when it starts; none without this key.' })
      .prefault({}),
  })
}

export type ParsedConfig = z.output<ReturnType<typeof configSchema>>
