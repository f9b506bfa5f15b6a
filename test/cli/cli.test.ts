// The rules that every command keeps: one JSON object on stdout, errors as a message and a hint, exit codes from the table.

import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { Services } from '../../src/cli/app.ts'
import { approve } from '../../src/cli/approve.ts'
import { makeTestApp, runForTest } from '../support/app.ts'

const LATER = 'drill advise serve gateway'.split(' ')
const GOOD =
  'clusters: { a: { bootstrap: "a:1" }, b: { bootstrap: "b:1" } }\nlinks: { l: { source: a, target: b } }\nvaults: { v: { url: "gs://b" } }\n'

function folder(config?: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'kdr-cli-'))
  if (config !== undefined) writeFileSync(join(directory, 'kdr.yaml'), config)
  return directory
}

function json(text: string): Record<string, unknown> {
  const object = JSON.parse(text) as Record<string, unknown>
  assert.equal(object['v'], 1)
  return object
}

describe('help', () => {
  test('names every command, in groups, and the exit codes', async () => {
    const { exit, stdout, stderr } = await runForTest(['--help'])

    assert.equal(exit, 0)
    assert.equal(stderr, '')
    for (const command of ['init', 'config', 'switchover', 'failover', 'runs', 'lab', 'check', ...LATER])
      assert.match(stdout, new RegExp(`^  ${command} `, 'm'))
    assert.match(stdout, /^Not available yet:$/m)
    assert.match(stdout, /^ {2}130 {2}interrupted$/m)
  })

  test('no command is a usage error that shows the help', async () => {
    const { exit, stdout, stderr } = await runForTest([])

    assert.equal(exit, 2)
    assert.equal(stdout, '')
    assert.match(stderr, /^Usage: kdr/)
  })

  test('--version prints the version alone', async () => {
    assert.deepEqual(await runForTest(['--version']), { exit: 0, stdout: '1.2.3\n', stderr: '' })
  })
})

describe('errors', () => {
  test('are a message and a hint on stderr, without a stack', async () => {
    const { exit, stdout, stderr } = await runForTest(['config', 'check', '--config', 'nowhere.yaml'])

    assert.equal(exit, 2)
    assert.equal(stdout, '')
    assert.equal(
      stderr,
      'kdr: there is no config file "nowhere.yaml"\nhint: Write one with `kdr init`, or name it with `--config FILE`.\n',
    )
  })

  test('with --json are one object on stdout', async () => {
    const { exit, stdout, stderr } = await runForTest([
      'config',
      'check',
      '--json',
      '--config',
      'nowhere.yaml',
    ])

    assert.equal(exit, 2)
    assert.equal(stderr, '')
    assert.deepEqual(json(stdout), {
      v: 1,
      error: {
        code: 'config-missing',
        message: 'there is no config file "nowhere.yaml"',
        hint: 'Write one with `kdr init`, or name it with `--config FILE`.',
        exit: 2,
      },
    })
  })

  for (const argv of [
    ['frobnicate'],
    ['--frobnicate'],
    ['config', 'chek'],
    ['config', 'check', 'too', 'many'],
    ['init', '--form', 'a:1'],
  ]) {
    test(`\`kdr ${argv.join(' ')}\` is a usage error`, async () => {
      const text = await runForTest(argv)
      assert.equal(text.exit, 2)
      assert.equal(text.stdout, '')
      assert.match(text.stderr, /^kdr: .+\nhint: .+\n$/)

      const object = await runForTest([...argv, '--json'])
      assert.equal(object.exit, 2)
      assert.equal((json(object.stdout)['error'] as { code: string }).code, 'usage')
    })
  }

  test('an unexpected one is a bug: exit 1, the stack only with KDR_DEBUG=1', async () => {
    const services = {
      inspectCluster: () => Promise.reject(new TypeError('x is not a function')),
    } as Partial<Services> as Services

    const plain = await runForTest(['init', '--from', 'a:1', '--dry-run'], { services })
    assert.equal(plain.exit, 1)
    assert.match(plain.stderr, /^kdr: unexpected: x is not a function\nhint: This is a bug/)

    const debug = await runForTest(['init', '--from', 'a:1', '--dry-run'], {
      services,
      env: { KDR_DEBUG: '1' },
    })
    assert.match(debug.stderr, /TypeError: x is not a function\n +at /)
  })

  test('colours are for terminals, and never with NO_COLOR', async () => {
    const terminal = (env: Record<string, string>) => {
      let text = ''
      const stderr = { write: (part: string) => void (text += part), isTerminal: true, columns: 80 }
      return runForTest(['frobnicate'], { stderr, env }).then(() => text)
    }

    assert.ok((await terminal({})).includes('\u001b[31m'))
    assert.ok(!(await terminal({ NO_COLOR: '1' })).includes('\u001b'))
  })
})

describe('commands of later releases', () => {
  for (const command of LATER) {
    test(`\`kdr ${command}\` says so, whatever its arguments`, async () => {
      for (const rest of [[], ['X', '--yes', '--topic', 'y'], ['--help']]) {
        const { exit, stderr } = await runForTest([...command.split(' '), ...rest])
        assert.equal(exit, 2)
        assert.match(stderr, /not available yet/)
      }
    })
  }
})

describe('config', () => {
  test('check says what the file holds, and notes what has no effect yet', async () => {
    const path = join(folder(GOOD), 'kdr.yaml')

    const text = await runForTest(['config', 'check', '--config', path])
    assert.equal(text.exit, 0)
    assert.match(text.stdout, /has 2 clusters and 1 link\nnote: .*kdr.yaml:3:/)

    const object = json((await runForTest(['--config', path, '--json', 'config', 'check'])).stdout)
    assert.deepEqual(object['clusters'], ['a', 'b'])
    assert.equal(object['ok'], true)
  })

  test('check lists every problem with its place, in JSON too', async () => {
    const path = join(folder('clusters: { a: {}, b: {} }\n'), 'kdr.yaml')
    const { exit, stdout } = await runForTest(['config', 'check', '--json', '--config', path])

    assert.equal(exit, 2)
    const { facts } = json(stdout)['error'] as { facts: { problems: unknown[] } }
    assert.deepEqual(facts.problems, [
      { line: 1, column: 13, message: 'clusters.a: `bootstrap` is missing' },
      { line: 1, column: 20, message: 'clusters.b: `bootstrap` is missing' },
    ])
  })

  test('explain shows values with their origin', async () => {
    const path = join(folder(GOOD), 'kdr.yaml')
    const { stdout } = await runForTest(['config', 'explain', '--config', path])

    assert.match(stdout, /^links\.l\.source +a +line 2$/m)
    assert.match(stdout, /^links\.l\.largeGap +stop +default$/m)
  })

  test('schema is a JSON Schema', async () => {
    const { stdout } = await runForTest(['config', 'schema'])
    assert.match((JSON.parse(stdout) as { $schema: string }).$schema, /json-schema\.org/)
  })
})

describe('approval', () => {
  const change = { yes: false, name: 'east', change: 'this deletes the topic "x" at "east"' }

  test('is --yes, or the typed name', async () => {
    await approve(makeTestApp(), { ...change, yes: true })
    await approve(makeTestApp({ ask: () => Promise.resolve('east') }), change)
  })

  test('is refused without a terminal, and with another name', async () => {
    await assert.rejects(approve(makeTestApp(), change), { code: 'approval-needed', message: /no terminal/ })
    await assert.rejects(approve(makeTestApp({ ask: () => Promise.resolve('west') }), change), {
      message: /"west" is not "east"/,
    })
  })
})
