// What the scripts of `kdr completion` offer, asked of the shells themselves; a shell that is not installed is passed by.

import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import { runForTest } from '../support/app.ts'

const SHELLS = {
  bash: (script: string, words: readonly string[]) => `source ${script}
complete -p kdr > /dev/null || exit 1
COMP_WORDS=(${words.map(word => `'${word}'`).join(' ')})
COMP_CWORD=${words.length - 1}
_kdr
printf '%s\\n' "\${COMPREPLY[@]}"`,
  // The builtins of the completion system work only inside of it: what they would be given is shown instead.
  zsh: (script: string, words: readonly string[]) => `compdef() { :; }
compadd() { shift; print -l -- "$@"; }
_files() { :; }
source ${script}
words=(${words.map(word => `'${word}'`).join(' ')})
CURRENT=${words.length}
_kdr`,
  fish: (script: string, words: readonly string[]) => `source ${script}
complete -C ${JSON.stringify(words.join(' '))}`,
}

/** Words of a line, the last one being written; what is offered must have `has` and must not have `lacks`. */
const CASES: readonly {
  readonly words: readonly string[]
  readonly has: readonly string[]
  readonly lacks: readonly string[]
}[] = [
  { words: ['kdr', ''], has: ['init', 'run', 'switchover', 'completion'], lacks: ['drill', 'pause'] },
  { words: ['kdr', 'link', ''], has: ['pause', 'resume', 'follow'], lacks: ['run', 'init'] },
  { words: ['kdr', '--config', 'run', 'config', ''], has: ['check', 'explain'], lacks: ['run'] },
  {
    words: ['kdr', 'link', 'pause', '-'],
    has: ['--topic', '--json', '--help'],
    lacks: ['--once', '--version'],
  },
  { words: ['kdr', 'run', '--once', '-'], has: ['--timeout', '-v'], lacks: ['--topic'] },
  { words: ['kdr', 'run', '--timeout', ''], has: [], lacks: ['run', '--once'] },
]

for (const shell of ['bash', 'zsh', 'fish'] as const) {
  const isMissing = spawnSync(shell, ['--version']).status !== 0
  describe(`kdr completion ${shell}`, { skip: isMissing && `${shell} is not installed` }, () => {
    const script = join(mkdtempSync(join(tmpdir(), 'kdr-completion-')), `kdr.${shell}`)
    before(async () => writeFileSync(script, (await runForTest(['completion', shell])).stdout))

    for (const { words, has, lacks } of CASES) {
      test(words.join(' '), () => {
        const shown = execFileSync(shell, ['-c', SHELLS[shell](script, words)], { encoding: 'utf8' })
        const offered = new Set(shown.split('\n').map(line => line.split('\t')[0]))
        assert.deepEqual(
          has.filter(word => !offered.has(word)),
          [],
          `offered: ${[...offered].join(' ')}`,
        )
        assert.deepEqual(
          lacks.filter(word => offered.has(word)),
          [],
        )
      })
    }
  })
}

describe('kdr completion', () => {
  test('of another shell is refused', async () => {
    const { exit, stderr } = await runForTest(['completion', 'tcsh'])

    assert.equal(exit, 2)
    assert.match(stderr, /"tcsh" is no shell that kdr can complete for\nhint: Write bash, zsh or fish\./)
  })
})
