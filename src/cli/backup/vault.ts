// kdr vault init | probe: makes the place of backups ready, and says what it can do.
import type { Command } from 'commander'
import { KdrError } from '../../model/errors.ts'
import type { Ability } from '../../ports/store.ts'
import { type App, type GlobalOptions, writeJson } from '../app.ts'
import { lockOf, lockText } from './lock-text.ts'
import { formatTable, styleOf } from '../table.ts'

export function registerVault(program: Command, app: App): void {
  const vault = program
    .command('vault')
    .summary('prepare and probe a vault')
    .description('A vault is where backups are kept: an entry of `vaults:` in the config.')
    .helpGroup('Back up')
    .helpCommand(false)
  const verb = (
    name: string,
    description: string,
    act: (of: string, options: GlobalOptions) => Promise<void>,
  ) =>
    vault
      .command(name)
      .argument('<vault>', 'a vault of the config')
      .description(description)
      .action(
        async (of: string, _options: unknown, command: Command) => await act(of, command.optsWithGlobals()),
      )
  verb(
    'init',
    'Makes a vault where nothing is yet, once what it needs of its store was tried out.',
    async (of, options) => await init(app, of, options),
  )
  verb(
    'probe',
    'Tries out what a vault needs of its store. Exit 18 when something is missing.',
    async (of, options) => await probe(app, of, options),
  )
}

async function init(app: App, name: string, options: GlobalOptions): Promise<void> {
  const config = await app.loadConfig(options.config)
  await app.services.withVault(config, name, async vault => {
    const lacking = missing(await vault.probe())
    if (lacking.length > 0)
      throw new KdrError('store-lacks', `${vault.url} cannot hold a vault: it lacks ${lacking.join(', ')}`)
    const { vault: id, createdAt } = await vault.init()
    if (options.json === true) writeJson(app, { vault: name, url: vault.url, id, createdAt })
    else app.stdout.write(`made vault "${name}" at ${vault.url} (id ${id})\n`)
  })
}

async function probe(app: App, name: string, options: GlobalOptions): Promise<void> {
  const config = await app.loadConfig(options.config)
  await app.services.withVault(config, name, async vault => {
    const abilities = await vault.probe()
    const lacking = missing(abilities)
    app.exit = lacking.length === 0 ? 0 : 18
    const locks = await vault.shortestLocks()
    if (options.json === true)
      return writeJson(app, {
        vault: name,
        url: vault.url,
        abilities,
        locks: locks.map(({ set, ...lock }) => ({ set, ...lockOf(lock) })),
      })
    const style = styleOf(app.stdout, app.env)
    const rows = abilities.map(({ ability, has, why, isOptional }) => [
      has ? style.green('yes') : isOptional === true ? style.yellow('no') : style.red('no'),
      ability,
      why,
    ])
    app.stdout.write(
      formatTable([{ title: 'HAS' }, { title: 'ABILITY' }, { title: 'WHAT FOR' }], rows, style),
    )
    app.stdout.write(
      lacking.length === 0
        ? `\n${vault.url} can hold a vault\n`
        : `\n${vault.url} cannot hold a vault: it lacks ${lacking.join(', ')}\n`,
    )
    for (const { set, ...lock } of locks) app.stdout.write(`set "${set}": ${lockText(lock, style)}`)
  })
}

function missing(abilities: readonly Ability[]): string[] {
  return abilities.filter(({ has, isOptional }) => !has && isOptional !== true).map(({ ability }) => ability)
}
