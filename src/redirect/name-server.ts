// What kdr says to the name server of a zone: what stands at a name, and an update that takes place only if that still
// stands there. Every answer that says yes is of the server itself and, where there is a key, signed with it.

import { randomInt } from 'node:crypto'
import { assertNever, KdrError } from '../model/errors.ts'
import type { Clock } from '../ports/clock.ts'
import { DnsConnection } from './dns-connection.ts'
import {
  CLASS,
  type DnsAnswer,
  type DnsRecord,
  OPCODE,
  parseAnswer,
  RCODES,
  TYPE,
  writeMessage,
} from './dns-wire.ts'
import { sign, TSIG_ERRORS, type TsigKey, verify } from './tsig.ts'

const TIMEOUT_MS = 10_000
const REFUSED = RCODES.indexOf('REFUSED')

export type NameServerSettings = {
  /** `host:port`. */
  readonly server: string
  /** In full. */
  readonly zone: string
  readonly key: TsigKey | undefined
  readonly clock: Clock
}

/** `conflict`: a prerequisite did not hold, and nothing was changed. `refused`: the server does not let the key do this. */
export type UpdateEnd = 'done' | 'conflict' | 'refused'

type Section = { readonly answers: readonly DnsRecord[]; readonly authority: readonly DnsRecord[] }

export class NameServer {
  readonly #settings: NameServerSettings
  readonly #connection: DnsConnection
  /** An answer has been signed with the key. */
  #isKeyKnown = false

  /** Throws KdrError('unreachable'). */
  static async open(settings: NameServerSettings): Promise<NameServer> {
    return new NameServer(settings, await DnsConnection.open(settings.server, TIMEOUT_MS))
  }

  private constructor(settings: NameServerSettings, connection: DnsConnection) {
    this.#settings = settings
    this.#connection = connection
  }

  close(): void {
    this.#connection.close()
  }

  /** Of that name and type only: where an alias stands, what it leads to is left out. */
  async records(name: string, type: number): Promise<DnsRecord[]> {
    const answer = await this.#ask(
      OPCODE.query,
      { name, type, class: CLASS.IN },
      { answers: [], authority: [] },
    )
    const code = RCODES[answer.rcode]
    if (code !== 'NOERROR' && code !== 'NXDOMAIN') throw this.#failure(answer, 'asked', code)
    if (!answer.isAuthoritative)
      throw this.#notPrimary('it answers from what it has heard, not from a zone of its own')
    return answer.answers.filter(each => each.name === name && each.type === type)
  }

  /** All or nothing. Throws KdrError: unreachable (it may have been done), not-allowed, not-ready. */
  async update(prerequisites: readonly DnsRecord[], changes: readonly DnsRecord[]): Promise<UpdateEnd> {
    const zone = { name: this.#settings.zone, type: TYPE.SOA, class: CLASS.IN }
    const answer = await this.#ask(OPCODE.update, zone, { answers: prerequisites, authority: changes })
    const code = RCODES[answer.rcode]
    switch (code) {
      case 'NOERROR':
        return 'done'
      case 'NXRRSET':
      case 'YXRRSET':
      case 'NXDOMAIN':
      case 'YXDOMAIN':
        return 'conflict'
      case 'REFUSED':
        return 'refused'
      case 'FORMERR':
      case 'SERVFAIL':
      case 'NOTIMP':
      case 'NOTAUTH':
      case 'NOTZONE':
      case undefined:
        throw this.#failure(answer, 'told to change it', code)
      default:
        return assertNever(code)
    }
  }

  async #ask(
    opcode: number,
    question: Parameters<typeof writeMessage>[0]['question'],
    section: Section,
  ): Promise<DnsAnswer> {
    const { key, clock } = this.#settings
    const seconds = () => Math.floor(clock.now() / 1000)
    const id = randomInt(0x10000)
    const message = writeMessage({ id, opcode, question, ...section })
    if (key === undefined) return this.#checked(id, await this.#connection.ask(message))
    const { bytes: request, mac } = sign(message, key, seconds())
    const bytes = await this.#connection.ask(request)
    const answer = this.#checked(id, bytes)
    const verdict = verify(bytes, answer, key, mac, seconds())
    switch (verdict.is) {
      case 'ok':
        this.#isKeyKnown = true
        return answer
      case 'refused':
        // Knot says BADKEY of a key that it knows and that may not do this.
        if (this.#isKeyKnown && TSIG_ERRORS[verdict.error] === 'BADKEY') return { ...answer, rcode: REFUSED }
        throw this.#keyRefused(key, verdict.error, verdict.theirs)
      case 'unsigned':
        // A refusal needs no proof: whoever could forge it could also cut the line.
        if (RCODES[answer.rcode] !== 'NOERROR' && RCODES[answer.rcode] !== 'NXDOMAIN') return answer
        throw this.#notTrusted('has no signature')
      case 'wrong':
        throw this.#notTrusted(`is not signed with the key "${key.name}"`)
      default:
        return assertNever(verdict)
    }
  }

  #checked(id: number, bytes: Buffer): DnsAnswer {
    const answer = parseAnswer(bytes)
    if (answer.id !== id || answer.isTruncated) throw this.#notTrusted('is none to what was asked')
    return answer
  }

  #notTrusted(why: string): KdrError {
    return new KdrError('not-allowed', `the answer of the name server "${this.#settings.server}" ${why}`, {
      hint: 'Check that `server` is the name server that has this key, and that nothing between changes its answers.',
    })
  }

  #keyRefused(key: TsigKey, error: number, theirs: number | undefined): KdrError {
    const name = TSIG_ERRORS[error] ?? `TSIG error ${error}`
    const { server, clock } = this.#settings
    const apart = theirs === undefined ? '' : ` by ${Math.abs(Math.round(clock.now() / 1000) - theirs)} s`
    const why: Readonly<Record<string, string>> = {
      BADSIG: "the secret is not the server's",
      BADKEY: 'the server knows no key of this name and algorithm',
      BADTIME: `the clocks differ${apart}`,
    }
    return new KdrError(
      'not-allowed',
      `the name server "${server}" does not accept the TSIG key "${key.name}" (${key.algorithm}): ${why[name] ?? name}`,
      {
        hint:
          name === 'BADTIME'
            ? 'Set the clocks of both machines; five minutes are the most they may be apart.'
            : 'Give `tsig` the key as the server has it: its name, its algorithm and its secret.',
        facts: { tsigError: name },
      },
    )
  }

  #notPrimary(why: string): KdrError {
    const { server, zone } = this.#settings
    return new KdrError(
      'not-ready',
      `the name server "${server}" is not the one to update "${zone}": ${why}`,
      {
        hint: 'Let `server` be the primary name server of the zone, and `zone` a zone as it is configured there.',
      },
    )
  }

  #failure(answer: DnsAnswer, when: string, code: string | undefined): KdrError {
    const { server, zone, key } = this.#settings
    const said = code ?? `code ${answer.rcode}`
    const isKeyAsked = code === 'REFUSED' || (code === 'NOTAUTH' && key === undefined)
    if (!isKeyAsked && (code === 'NOTAUTH' || code === 'NOTZONE'))
      return this.#notPrimary(`it answers ${said}`)
    if (code === 'NOTIMP') return this.#notPrimary('it takes no updates (NOTIMP)')
    const what = `the name server "${server}" answers ${said}, ${when} about "${zone}"`
    if (code === 'SERVFAIL') {
      return new KdrError('unreachable', what, {
        hint: 'Look at the log of the name server, then try again.',
      })
    }
    if (!isKeyAsked) return new KdrError('not-ready', what)
    const [who, hint] =
      key === undefined
        ? ['without a key', 'Give the redirect a `tsig` key, and check that the server has the zone.']
        : [
            `with the key "${key.name}"`,
            'Check that the server has the zone, and lets this key ask and update it.',
          ]
    return new KdrError('not-allowed', `${what} ${who}`, { hint })
  }
}
