import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RunFacts } from '../ports/outside.ts'
import { CommandRedirect } from './command.ts'
import { ShellCommands } from './commands.ts'

const FACTS: RunFacts = {
  run: 'r-1',
  kind: 'failover',
  link: 'east-west',
  active: 'east',
  standby: 'west',
  bootstrap: 'west-1:9092',
  generation: 4,
}

function setUp() {
  const directory = mkdtempSync(join(tmpdir(), 'kdr-command-'))
  return { directory, commands: new ShellCommands(directory), at: (name: string) => join(directory, name) }
}

describe('commands', () => {
  test('get the facts, run in the folder, and say how they ended', async () => {
    const { commands, directory } = setUp()
    const end = await commands.run(
      'pwd; echo "$KDR_RUN $KDR_KIND $KDR_LINK $KDR_ACTIVE $KDR_STANDBY $KDR_BOOTSTRAP $KDR_GENERATION"; echo "$KDR_FACTS" >&2; exit 3',
      FACTS,
      10_000,
    )

    assert.equal(end.code, 3)
    const lines = end.output.split('\n')
    assert.ok(lines[0]?.endsWith(directory))
    assert.ok(lines.includes('r-1 failover east-west east west west-1:9092 4'))
    assert.ok(lines.includes(JSON.stringify(FACTS)))
  })

  test('only the last lines are kept', async () => {
    const { commands } = setUp()
    const { output } = await commands.run('seq 1 100000', FACTS, 10_000)
    assert.equal(output.split('\n').length, 10)
    assert.ok(output.endsWith('100000'))
  })

  test('end with 124 when their time is over, and so does all that they have started', async () => {
    const { commands, at } = setUp()
    const pid = at('pid')
    // Neither listens to SIGTERM.
    const { code } = await commands.run(
      `trap '' TERM; sh -c 'trap "" TERM; echo $$ > ${pid}; while :; do sleep 0.1; done' & wait; sleep 60`,
      FACTS,
      500,
    )

    assert.equal(code, 124)
    const isGone = () => {
      try {
        return /^State:\s+[ZX]/m.test(
          readFileSync(`/proc/${readFileSync(pid, 'utf8').trim()}/status`, 'utf8'),
        )
      } catch {
        return true
      }
    }
    if (process.platform === 'linux') {
      for (let tries = 0; !isGone() && tries < 100; tries++) await sleep(20)
      assert.ok(isGone())
    }
  })

  test('that leave something running are not waited for', async () => {
    const { commands } = setUp()
    const { code, output } = await commands.run('sleep 3 & echo started', FACTS, 60_000)
    assert.deepEqual([code, output], [0, 'started'])
  })

  test('that a signal ends, or that cannot start, have a code too', async () => {
    const { commands } = setUp()
    assert.equal((await commands.run('kill -KILL $$', FACTS, 10_000)).code, 137)
    const nowhere = new ShellCommands(join(tmpdir(), 'kdr-no-such-folder'))
    assert.equal((await nowhere.run('true', FACTS, 10_000)).code, 127)
  })
})

describe('redirect by command', () => {
  test('applies, verifies, undoes', async () => {
    const { commands, at } = setUp()
    const redirect = new CommandRedirect(
      'command',
      {
        apply: 'echo "$KDR_STANDBY" > to',
        verify: 'grep -qx "$KDR_STANDBY" to',
        undo: 'echo "$KDR_ACTIVE" > to',
      },
      commands,
    )
    assert.equal(await redirect.isApplied(FACTS), false)

    await redirect.apply(FACTS)
    assert.equal(await redirect.isApplied(FACTS), true)
    await redirect.verify(FACTS)
    await redirect.undo(FACTS)

    assert.equal(readFileSync(at('to'), 'utf8'), 'east\n')
    await assert.rejects(redirect.verify(FACTS), {
      code: 'not-ready',
      message: '`verify` of command ended with 1',
    })
  })

  test('without `verify` it is never known to be done, and the plan says so', async () => {
    const { commands, at } = setUp()
    const redirect = new CommandRedirect(
      'command',
      { apply: 'touch done', verify: undefined, undo: undefined },
      commands,
    )

    await redirect.apply(FACTS)
    await redirect.verify(FACTS)

    assert.ok(existsSync(at('done')))
    assert.equal(await redirect.isApplied(FACTS), false)
    assert.equal(
      redirect.describe(),
      'run `touch done`; nothing verifies it (`verify`); nothing undoes it (`undo`)',
    )
    await assert.rejects(redirect.undo(FACTS), { code: 'not-ready', hint: /back to "east" by hand/ })
  })

  test('a failure says what the command said', async () => {
    const { commands } = setUp()
    const redirect = new CommandRedirect(
      'command 2',
      { apply: 'echo no such deployment; exit 5', verify: undefined, undo: undefined },
      commands,
    )
    await assert.rejects(redirect.apply(FACTS), {
      code: 'not-ready',
      message: '`apply` of command 2 ended with 5: no such deployment',
    })
  })
})
