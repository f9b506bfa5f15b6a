// Leads applications by the operator's own commands. What kdr knows of the outcome is what `verify` says.

import { KdrError } from '../model/errors.ts'
import type { Commands, Redirect, RunFacts } from '../ports/outside.ts'

export type CommandSettings = {
  readonly apply: string
  /** Ends with 0 when applications are led to KDR_STANDBY. */
  readonly verify: string | undefined
  readonly undo: string | undefined
}

/** A command may wait for a deployment. */
const APPLY_TIMEOUT_MS = 300_000
const VERIFY_TIMEOUT_MS = 60_000

export class CommandRedirect implements Redirect {
  readonly name: string
  readonly #settings: CommandSettings
  readonly #commands: Commands

  constructor(name: string, settings: CommandSettings, commands: Commands) {
    this.name = name
    this.#settings = settings
    this.#commands = commands
  }

  describe(): string {
    const { apply, verify, undo } = this.#settings
    const missing = [
      ...(verify === undefined ? ['nothing verifies it (`verify`)'] : []),
      ...(undo === undefined ? ['nothing undoes it (`undo`)'] : []),
    ]
    return [`run \`${apply}\``, ...missing].join('; ')
  }

  /** Without `verify` it is not known, and `apply` is run again. */
  async isApplied(facts: RunFacts): Promise<boolean> {
    const { verify } = this.#settings
    return verify !== undefined && (await this.#commands.run(verify, facts, VERIFY_TIMEOUT_MS)).code === 0
  }

  async apply(facts: RunFacts): Promise<void> {
    await this.#run('apply', this.#settings.apply, facts, APPLY_TIMEOUT_MS)
  }

  async verify(facts: RunFacts): Promise<void> {
    if (this.#settings.verify !== undefined)
      await this.#run('verify', this.#settings.verify, facts, VERIFY_TIMEOUT_MS)
  }

  async undo(facts: RunFacts): Promise<void> {
    if (this.#settings.undo !== undefined) {
      await this.#run('undo', this.#settings.undo, facts, APPLY_TIMEOUT_MS)
      return
    }
    throw new KdrError('not-ready', `${this.name} has no \`undo\``, {
      hint: `Lead applications back to "${facts.active}" by hand, and give the redirect an \`undo\` for the next time.`,
    })
  }

  async #run(
    part: 'apply' | 'verify' | 'undo',
    command: string,
    facts: RunFacts,
    timeoutMs: number,
  ): Promise<void> {
    const { code, output } = await this.#commands.run(command, facts, timeoutMs)
    if (code === 0) return
    const said = output === '' ? '' : `: ${output}`
    if (code === 124) {
      throw new KdrError(
        'timed-out',
        `\`${part}\` of ${this.name} has not ended in ${timeoutMs / 1000} s${said}`,
        {
          hint: `Make \`${command}\` end sooner, then run again: it is started anew.`,
        },
      )
    }
    throw new KdrError('not-ready', `\`${part}\` of ${this.name} ended with ${code}${said}`, {
      hint: `Find out why \`${command}\` fails (it gets the facts of the run as KDR_*), then run again.`,
    })
  }
}
