import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { makeTestApp } from '../../test/support/app.ts'
import type { KdrError } from '../model/errors.ts'
import type { Level, Log } from '../ports/log.ts'
import type { App } from './app.ts'
import { type LogFlags, startLog } from './log.ts'
import { runCli } from './run-cli.ts'

const AT = Date.parse('2026-01-31T12:00:05.250Z')

const setUp = (flags: LogFlags = {}, env: App['env'] = {}, isTerminal = false) => {
  let now = 0
  let text = ''
  const app = makeTestApp({
    env,
    clock: { now: () => AT, monotonic: () => now, sleep: () => Promise.resolve() },
    stderr: { write: part => void (text += part), isTerminal, columns: undefined },
  })
  const log = startLog(app, flags)
  const lines = (): string[] => text.split('\n').slice(0, -1)
  return {
    log,
    lines,
    objects: () => lines().map(line => JSON.parse(line) as object),
    pass: (ms: number) => (now += ms),
  }
}

describe('a line of the log', () => {
  const say = (log: Log): void =>
    log.event('warn', 'it stops', { link: 'l', topic: 't', partition: 3, reason: 'corrupt', id: 7n })

  test('is an object for machines, with what it is about beside the message', () => {
    const { log, objects } = setUp()
    say(log)
    log.event('info', 'well again')
    assert.deepEqual(objects(), [
      {
        v: 1,
        time: '2026-01-31T12:00:05.250Z',
        level: 'warn',
        message: 'it stops',
        link: 'l',
        topic: 't',
        partition: 3,
        facts: { reason: 'corrupt', id: '7' },
      },
      { v: 1, time: '2026-01-31T12:00:05.250Z', level: 'info', message: 'well again' },
    ])
  })

  test('names topic and partition apart, whoever names them together', () => {
    const { log, objects } = setUp()
    log.event('info', 'anchoring', { partition: 'a/b/12' })
    assert.partialDeepStrictEqual(objects(), [{ topic: 'a/b', partition: 12 }])
  })

  test('is a sentence for people; the facts come with -v', () => {
    const plain = setUp({ logFormat: 'text' })
    say(plain.log)
    assert.deepEqual(plain.lines(), ['12:00:05 warn  it stops'])
    const verbose = setUp({ logFormat: 'text', verbose: true })
    say(verbose.log)
    assert.match(verbose.lines()[0] ?? '', /^12:00:05 warn {2}it stops \{"link":"l",.*"id":"7"\}$/)
  })

  test('facts cannot take the place of what every line has', () => {
    const { log, objects } = setUp()
    log.event('info', 'm', { level: 'error', message: 'other', time: 'never', v: 2 })
    assert.partialDeepStrictEqual(objects(), [{ v: 1, level: 'info', message: 'm' }])
  })
})

describe('which lines, and how', () => {
  const formats: readonly (readonly [string, LogFlags, App['env'], boolean, 'json' | 'text'])[] = [
    ['no terminal', {}, {}, false, 'json'],
    ['a terminal', {}, {}, true, 'text'],
    ['asked for', { logFormat: 'json' }, {}, true, 'json'],
    ['by the environment', {}, { KDR_LOG_FORMAT: 'text' }, false, 'text'],
    ['asked for otherwise', { logFormat: 'json' }, { KDR_LOG_FORMAT: 'text' }, false, 'json'],
  ]
  for (const [what, flags, env, isTerminal, expected] of formats)
    test(`${what}: ${expected}`, () => {
      const { log, lines } = setUp(flags, { ...env, NO_COLOR: '1' }, isTerminal)
      log.event('info', 'm')
      assert.equal(lines()[0]?.startsWith('{') === true ? 'json' : 'text', expected)
      assert.equal(log.isJson, expected === 'json')
    })

  const levels: readonly (readonly [LogFlags, readonly Level[]])[] = [
    [{}, ['info', 'warn', 'error']],
    [{ verbose: true }, ['debug', 'info', 'warn', 'error']],
    [{ logLevel: 'warn' }, ['warn', 'error']],
    [{ logLevel: 'error', verbose: true }, ['error']],
  ]
  for (const [flags, expected] of levels)
    test(`with ${JSON.stringify(flags)}: ${expected.join(', ')}`, () => {
      const { log, objects } = setUp(flags)
      for (const level of ['debug', 'info', 'warn', 'error'] as const) log.event(level, 'm')
      assert.deepEqual(
        objects().map(line => (line as { level: Level }).level),
        expected,
      )
    })

  test('what there is not is refused', () => {
    for (const flags of [{ logLevel: 'trace' }, { logFormat: 'xml' }])
      assert.throws(
        () => setUp(flags),
        (error: KdrError) => error.code === 'usage',
      )
  })
})

describe('what is said again and again', () => {
  const messages = (objects: readonly object[]) => objects.map(line => (line as { message: string }).message)

  test('is said three times, and then counted until the minute is over', () => {
    const { log, objects, pass } = setUp()
    for (let i = 0; i < 40; i++) {
      log.event('warn', 'no route', { link: 'l' })
      pass(1_000)
    }
    assert.equal(objects().length, 3)
    pass(25_000)
    log.event('info', 'other')
    assert.deepEqual(messages(objects()).slice(3), ['repeated 37 times in 60 s: no route', 'other'])
    assert.partialDeepStrictEqual(objects()[3], { level: 'warn', link: 'l', facts: { repeated: 37 } })
    log.event('warn', 'no route', { link: 'l' })
    assert.equal(messages(objects()).at(-1), 'no route', 'a new minute begins')
  })

  test('is told at the end at the latest', () => {
    const { log, objects, pass } = setUp()
    for (let i = 0; i < 4; i++) log.event('warn', 'no route')
    pass(7_000)
    log.settle()
    log.settle()
    assert.deepEqual(messages(objects()).slice(3), ['repeated once more in 7 s: no route'])
  })

  test('of another link, topic or partition is something else', () => {
    const { log, objects } = setUp()
    for (let partition = 0; partition < 10; partition++)
      log.event('info', 'anchored', { topic: 't', partition })
    assert.equal(objects().length, 10)
  })

  test('of another broker, error or reason is something else', () => {
    const { log, objects } = setUp()
    const each = (facts: Record<string, unknown>) => log.event('info', 'a fetch failed', facts)
    for (let broker = 0; broker < 10; broker++) each({ broker, error: 'no route' })
    for (const error of ['closed', 'too late', 'reset', 'refused']) each({ broker: 0, error })
    for (const reason of ['corrupt', 'truncated', 'no-rights', 'diverged']) each({ broker: 0, reason })
    assert.equal(objects().length, 18)
  })

  test('at intervals is no repetition', () => {
    const { log, objects } = setUp()
    for (let i = 0; i < 10; i++) log.regular.event('info', 'nothing behind')
    assert.equal(objects().length, 10)
  })
})

test('where stderr is a log of JSON lines, a failure is one of them', async () => {
  const app = makeTestApp({ env: {} })
  const exit = await runCli(['run', '--config', 'nowhere.yaml'], app)
  assert.equal(exit, 2)
  const lines = app.written.stderr.trimEnd().split('\n')
  assert.equal(lines.length, 1)
  assert.partialDeepStrictEqual(JSON.parse(lines[0] ?? ''), {
    level: 'error',
    message: 'there is no config file "nowhere.yaml"',
    facts: { code: 'config-missing', exit: 2 },
  })
})
