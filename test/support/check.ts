// kdr check on a lab: what it finds, and what its hints say, done.
import assert from 'node:assert/strict'
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after } from 'node:test'
import type { CheckReport } from '../../src/engine/check/check.ts'
import type { Finding } from '../../src/model/findings.ts'
import { patience, type TestLab, waitFor } from './lab.ts'
import { adminOf, runKdrHere } from './link.ts'

export const shown = ({ id, where }: Pick<Finding, 'id' | 'where'>): string => `${id} ${where}`

/** Of the cluster "east"; to be called at the top of a file. */
export function checkOf(context: TestLab) {
  const dir = mkdtempSync(join(tmpdir(), 'kdr-check-lab-'))
  after(() => rmSync(dir, { recursive: true, force: true }))
  const path = join(dir, 'kdr.yaml')
  const east = () => adminOf(context.cluster('east'))

  const configure = (config: Readonly<Record<string, unknown>>): void =>
    writeFileSync(path, JSON.stringify(config))
  const kdr = async (...args: string[]) => await runKdrHere([...args, '--config', path])
  const check = async (...args: string[]): Promise<CheckReport & { readonly exit: number | null }> => {
    const { code, stdout, stderr } = await kdr('check', '--json', ...args)
    assert.notEqual(stdout, '', stderr)
    return { ...(JSON.parse(stdout) as CheckReport), exit: code }
  }
  /** Brokers learn of a change one after the other. */
  const until = async (expected: readonly string[], ...args: string[]): Promise<CheckReport> => {
    let report = await check(...args)
    const wanted = expected.toSorted().join('\n')
    const sees = (): string => report.findings.map(shown).toSorted().join('\n')
    await waitFor(
      async () => {
        report = await check(...args)
        return sees() === wanted
      },
      {
        what: () =>
          `exactly\n${wanted}\nbut there is\n${sees()}\n${JSON.stringify(report.findings, null, 1)}`,
        timeoutMs: patience(20_000),
        everyMs: 200,
      },
    )
    return report
  }

  /** What the hint of a finding says: by Java's own admin client, by kdr, or in server.properties (then brokers are to be restarted). */
  async function mend({ hint }: Finding): Promise<void> {
    const { judge } = context
    const option = (name: string): string | undefined => new RegExp(`--${name} (\\S+)`).exec(hint)?.[1]
    if (hint.startsWith('kafka-configs.sh')) {
      const added = option('add-config')?.split('=')
      const configs = { [added?.[0] ?? option('delete-config') ?? '']: added?.[1] ?? null }
      if (option('entity-type') === 'topics')
        await judge.alterConfigs({ ...east(), topic: option('entity-name') ?? '', configs })
      else await judge.alterConfigs({ ...east(), broker: option('entity-name') ?? '', configs })
      return
    }
    if (hint.startsWith('kdr check --cluster east --plan ')) {
      const file = join(dir, option('plan') ?? '')
      await kdr('check', '--cluster', 'east', '--plan', file)
      const { partitions } = JSON.parse(readFileSync(file, 'utf8')) as {
        partitions: { topic: string; replicas: number[] }[]
      }
      for (const { topic, replicas } of partitions) await judge.setReplicas({ ...east(), topic, replicas })
      return
    }
    if (hint.includes('in server.properties of every broker')) {
      const lines = [...hint.matchAll(/[a-z.]+=[\w.-]+/g)].map(([line]) => `${line}\n`).join('')
      assert.notEqual(lines, '', hint)
      for (const { id } of context.cluster('east').brokers)
        appendFileSync(join(dirname(context.cluster('east').logDir(id)), 'server.properties'), lines)
      return
    }
    const [program = '', ...args] = hint.split(' ')
    assert.equal(program, 'kdr', `nobody knows how to do: ${hint}`)
    const { code, stderr } = await kdr(...args)
    assert.equal(code, 0, `${hint}: ${stderr}`)
  }

  return { dir, path, configure, kdr, check, until, mend }
}
