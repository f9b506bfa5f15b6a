// Certificate authorities and certificates for tests, made by openssl in a folder of its own that goes away with the process.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export const skipWithoutOpenssl = isThere() ? false : 'openssl is not installed (package: openssl)'

/** PEM, as text and in files. */
export type Certificate = {
  readonly cert: string
  readonly key: string
  readonly certFile: string
  readonly keyFile: string
  /** Both, as a broker takes them. */
  readonly pairFile: string
}

export interface Authority {
  readonly ca: string
  readonly caFile: string
  /** One that this one has signed. A negative number of days: it has expired. */
  subordinate(name: string, options?: { readonly days?: number }): Authority
  /** `hosts`: names and addresses that it is for. A negative number of days: it has expired. */
  issue(name: string, options?: { readonly hosts?: readonly string[]; readonly days?: number }): Certificate
}

const folder = mkdtempSync(join(tmpdir(), 'kdr-certificates-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
let made = 0

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']

export function makeAuthority(name: string): Authority {
  const at = pathOf('ca')
  const whole = ['-keyout', `${at}.key`, '-out', `${at}.pem`, '-days', '2', '-subj', `/CN=${name}`]
  openssl('req', '-x509', ...NEW_KEY, ...whole)
  return authorityAt(at)
}

/** With its key beside it. */
function authorityAt(at: string): Authority {
  const issue = (subject: string, extensions: string, days: number): string => {
    const own = pathOf('issued')
    writeFileSync(`${own}.ext`, extensions)
    openssl('req', ...NEW_KEY, '-keyout', `${own}.key`, '-out', `${own}.csr`, '-subj', `/CN=${subject}`)
    const signing = ['-CA', `${at}.pem`, '-CAkey', `${at}.key`, '-CAcreateserial', '-days', String(days)]
    openssl('x509', '-req', '-in', `${own}.csr`, ...signing, '-extfile', `${own}.ext`, '-out', `${own}.pem`)
    return own
  }
  return {
    ca: readFileSync(`${at}.pem`, 'utf8'),
    caFile: `${at}.pem`,
    subordinate: (name, { days = 2 } = {}) => authorityAt(issue(name, 'basicConstraints=CA:TRUE\n', days)),
    issue: (subject, { hosts = [], days = 2 } = {}) => {
      const names = hosts.map(host => `${/^[\d.]+$/.test(host) ? 'IP' : 'DNS'}:${host}`)
      const own = issue(subject, names.length === 0 ? '' : `subjectAltName=${names.join(',')}\n`, days)
      const [certFile, keyFile, pairFile] = [`${own}.pem`, `${own}.key`, `${own}.pair`]
      const [cert, key] = [readFileSync(certFile, 'utf8'), readFileSync(keyFile, 'utf8')]
      writeFileSync(pairFile, `${key}${cert}`)
      return { cert, key, certFile, keyFile, pairFile }
    },
  }
}

const pathOf = (kind: string): string => join(folder, `${kind}-${made++}`)

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] })
}

function isThere(): boolean {
  try {
    openssl('version')
    return true
  } catch {
    return false
  }
}
