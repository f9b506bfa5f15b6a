// The reference pages are made from tables in code, and must be as the code is.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { madePages } from '../scripts/docs.ts'
import { EXIT_CODES } from '../src/cli/exit-codes.ts'
import { parseConfig } from '../src/config/index.ts'
import { ERRORS } from '../src/model/errors.ts'

describe('docs', () => {
  for (const [name, text] of madePages()) {
    test(`${name} is current`, () => {
      const written = readFileSync(new URL(`../docs/${name}`, import.meta.url), 'utf8')
      assert.equal(written, text, 'run `make docs`')
    })
  }

  test('the man page is one that man reads without a complaint', t => {
    const page = fileURLToPath(new URL('../docs/kdr.1', import.meta.url))
    const { error, status, stderr, stdout } = spawnSync('man', ['--warnings=all', '-l', page], {
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C.UTF-8', MANWIDTH: '100' },
    })
    if (error !== undefined) return t.skip('man is not installed')
    assert.deepEqual([status, stderr], [0, ''])
    assert.match(stdout, /kdr switchover <link> \[options\]/)
  })

  test('every error has an exit code that the table explains', () => {
    const explained = new Set(EXIT_CODES.map(([code]) => code))
    const unexplained = Object.entries(ERRORS).filter(([, { exit }]) => !explained.has(exit))
    assert.deepEqual(unexplained, [])
  })
})

describe('docs/findings', () => {
  test('has no page of a finding that is gone', () => {
    const written = readdirSync(new URL('../docs/findings/', import.meta.url))
    const wanted = [...madePages().keys()].flatMap(name => name.split('findings/')[1] ?? [])
    assert.deepEqual(written.toSorted(), wanted.toSorted())
  })
})

describe('docs/first-secured-link.md', () => {
  test('its config is one', () => {
    const text = readFileSync(new URL('../docs/first-secured-link.md', import.meta.url), 'utf8')
    const [, yaml = ''] = /```yaml\n(.*?)```/s.exec(text) ?? []
    assert.deepEqual(Object.keys(parseConfig(yaml, 'kdr.yaml').clusters), ['east', 'west'])
  })
})

describe('docs/connecting.md', () => {
  const text = readFileSync(new URL('../docs/connecting.md', import.meta.url), 'utf8')

  test('its config is one', () => {
    const [, yaml = ''] = /```yaml\n(.*?)```/s.exec(text) ?? []
    assert.equal(Object.keys(parseConfig(yaml, 'kdr.yaml').clusters).length, 4)
  })

  test('it quotes what kdr says', () => {
    const said = ['tls-failure', 'failure']
      .map(name => readFileSync(new URL(`../src/kafka/${name}.ts`, import.meta.url), 'utf8'))
      .join('\n')
    const quoted = text
      .split('\n')
      .filter(line => /\| 1[14] \|/.test(line))
      .map(
        line =>
          line
            .split('|')[1]
            ?.replace(/`[AB]`.*/, '')
            .trim() ?? '',
      )
    assert.equal(quoted.length, 9)
    for (const sentence of quoted) assert.ok(said.includes(sentence), sentence)
  })
})
