// kdr config acls: the `kafka-acls` commands for exactly what a command of kdr needs, to be read and then given by an administrator.
// It asks no cluster.
import { type Command, Option } from 'commander'
import type { AclTask, ClusterAcls, ClusterConfig, Config } from '../config/index.ts'
import { KdrError } from '../model/errors.ts'
import type { Grant } from '../model/needed-rights.ts'
import { type App, type GlobalOptions, writeJson } from './app.ts'

const TASKS: readonly AclTask[] = [
  'run',
  'failover',
  'failback',
  'backup',
  'restore',
  'check',
  'check-fix',
  'check-producers',
  'check-probe',
  'monitor',
]

type AclsOptions = GlobalOptions & {
  readonly for: AclTask
  readonly withoutClusterRights?: boolean
  readonly cluster?: string
  readonly principal?: string
  readonly commandConfig: string
}

export function registerAcls(config: Command, app: App): void {
  config
    .command('acls')
    .description('Prints the `kafka-acls` commands for what a command of kdr needs, cluster by cluster.')
    .addOption(new Option('--for <command>', 'which command').choices(TASKS).makeOptionMandatory())
    .option('--without-cluster-rights', 'where kdr may not change the target cluster itself')
    .option('--cluster <name>', 'of this cluster alone')
    .option('--principal <principal>', 'instead of the one that the config tells: `User:kdr`')
    .option(
      '--command-config <file>',
      "an administrator's login, as Kafka's tools take it",
      'admin.properties',
    )
    .action(async (_options: unknown, command: Command) => acls(app, command.optsWithGlobals()))
}

type Listed = ClusterAcls & {
  readonly principal: string
  readonly isPrincipalKnown: boolean
  readonly commands: readonly AclCommand[]
}
type AclCommand = { readonly why: string; readonly line: string }

async function acls(app: App, options: AclsOptions): Promise<void> {
  const config = await app.loadConfig(options.config)
  const listed = await list(config, options)
  if (options.json === true) writeJson(app, { for: options.for, clusters: listed.map(shown) })
  else app.stdout.write(textOf(options, listed))
}

async function list(config: Config, options: AclsOptions): Promise<Listed[]> {
  const { planAclsOf, principalOf } = await import('../config/index.ts')
  const { cluster } = options
  if (cluster !== undefined && config.clusters[cluster] === undefined)
    throw new KdrError('usage', `the config has no cluster "${cluster}"`, {
      hint: `It has: ${Object.keys(config.clusters).join(', ')}.`,
    })
  if (options.principal !== undefined && !/^[^:\s]+:./.test(options.principal))
    throw new KdrError('usage', `"${options.principal}" is no principal: it has a type and a name`, {
      hint: 'For example: --principal User:kdr',
    })
  const hasClusterRights = options.withoutClusterRights !== true
  const planned = planAclsOf(config, options.for, { hasClusterRights }).filter(
    each => cluster === undefined || each.cluster === cluster,
  )
  if (planned.length === 0)
    throw new KdrError(
      'usage',
      `nothing in the config is for \`kdr ${options.for}\`${cluster === undefined ? '' : ` at "${cluster}"`}`,
      {
        hint: 'Links are for run, failover and failback, sets for backup and restore.',
      },
    )
  return await Promise.all(
    planned.map(async each => {
      const of = config.clusters[each.cluster]!
      const known = options.principal ?? (await principalOf(of))
      const principal = known ?? PLACEHOLDER
      const commands = commandsOf(each.grants, { cluster: of, principal, login: options.commandConfig })
      return { ...each, principal, isPrincipalKnown: known !== undefined, commands }
    }),
  )
}

const PLACEHOLDER = 'User:PRINCIPAL'

/** One for each resource. */
function commandsOf(
  grants: readonly Grant[],
  {
    cluster,
    principal,
    login,
  }: { readonly cluster: ClusterConfig; readonly principal: string; readonly login: string },
): AclCommand[] {
  const byResource = Map.groupBy(grants, ({ type, pattern, name }) => `${type} ${pattern} ${name}`)
  return [...byResource.values()].map(some => {
    const args = [
      '--bootstrap-server',
      cluster.bootstrap.join(','),
      '--command-config',
      login,
      '--add',
      '--allow-principal',
      principal,
      ...some.flatMap(({ operation }) => ['--operation', wordOf(operation)]),
      ...resourceOf(some[0]!),
    ]
    const byWhy = Map.groupBy(some, ({ whys }) => whys.join('; '))
    const why = [...byWhy]
      .map(([text, all]) => `${all.map(({ operation }) => wordOf(operation)).join(', ')}: ${text}`)
      .join('. ')
    return { why, line: `kafka-acls ${args.map(quoted).join(' ')}` }
  })
}

function resourceOf({ type, pattern, name }: Grant): string[] {
  if (type === 'CLUSTER') return ['--cluster']
  return [
    ...(pattern === 'PREFIXED' ? ['--resource-pattern-type', 'prefixed'] : []),
    `--${type.toLowerCase().replaceAll('_', '-')}`,
    name,
  ]
}

/** `DESCRIBE_CONFIGS` as Kafka's tools say it: `DescribeConfigs`. */
const wordOf = (operation: string): string =>
  operation
    .split('_')
    .map(part => part.charAt(0) + part.slice(1).toLowerCase())
    .join('')

/** For a POSIX shell. */
const quoted = (argument: string): string =>
  /^[\w./:,@=-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`

function textOf(options: AclsOptions, listed: readonly Listed[]): string {
  const head = [
    `# What \`kdr ${commandOf(options.for)}\` needs. ${options.commandConfig} is how an administrator signs in.`,
    ...(options.for === 'failover'
      ? [
          '# After a switchover the link leads the other way at once: give it what `--for failback` prints too.',
        ]
      : []),
  ]
  return [head, ...listed.map(linesOf)].map(lines => `${lines.join('\n')}\n`).join('\n')
}

const commandOf = (task: AclTask): string => (task === 'monitor' ? 'run --only monitor' : task)

function linesOf({ cluster, does, principal, isPrincipalKnown, notes, commands }: Listed): string[] {
  return [
    `# "${cluster}": ${does.join('; ')}.`,
    ...(isPrincipalKnown
      ? []
      : [
          `# The config does not tell what kdr is called there: put it in the place of ${principal}, or give it with --principal.`,
        ]),
    ...notes.map(note => `# ${note.charAt(0).toUpperCase()}${note.slice(1)}.`),
    ...commands.flatMap(({ why, line }) => [`# ${why}.`, line]),
  ]
}

const shown = ({ cluster, does, principal, isPrincipalKnown, notes, grants, commands }: Listed) => ({
  name: cluster,
  does,
  principal,
  isPrincipalKnown,
  notes,
  rights: grants.map(({ type, pattern, name, operation, whys }) => ({
    resourceType: type,
    patternType: pattern,
    name,
    operation,
    why: whys.join('; '),
  })),
  commands: commands.map(({ line }) => line),
})
