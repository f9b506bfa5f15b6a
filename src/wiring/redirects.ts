// The ways in `redirect:` of a link, in their order.
import { dirname, resolve } from 'node:path'
import type { Config, LinkConfig, RedirectConfig } from '../config/index.ts'
import { assertNever } from '../model/errors.ts'
import type { Commands, Redirect } from '../ports/outside.ts'
import { CommandRedirect } from '../redirect/command.ts'
import { ShellCommands } from '../redirect/commands.ts'
import { DnsRedirect } from '../redirect/dns.ts'
import { TemplateRedirect } from '../redirect/template.ts'
import { systemClock } from './system.ts'

/** They run where the config file is, so that it can name scripts beside it. */
export function commandsOf(config: Config): Commands {
  return new ShellCommands(dirname(resolve(config.path)))
}

export function redirectsOf(config: Config, link: LinkConfig): Redirect[] {
  const commands = commandsOf(config)
  return link.redirects.map((redirect, index) => redirectOf(redirect, nameOf(link, index), commands))
}

function redirectOf(redirect: RedirectConfig, name: string, commands: Commands): Redirect {
  switch (redirect.kind) {
    case 'dns':
      return new DnsRedirect(redirect, systemClock)
    case 'command':
      return new CommandRedirect(name, redirect, commands)
    case 'template':
      return new TemplateRedirect(redirect)
    default:
      return assertNever(redirect)
  }
}

/** Of a command: `command`, or `command 2` where there are several. */
function nameOf({ redirects }: LinkConfig, index: number): string {
  const isCommand = ({ kind }: RedirectConfig): boolean => kind === 'command'
  if (redirects.filter(isCommand).length < 2) return 'command'
  return `command ${redirects.slice(0, index + 1).filter(isCommand).length}`
}
