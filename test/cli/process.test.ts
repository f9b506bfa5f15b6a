// What only a real process shows: the launcher, pipes, signals.

import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdtempSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const kdr = fileURLToPath(new URL('../../kdr', import.meta.url))

describe('the process', { timeout: 60_000 }, () => {
  test('a fresh checkout says what to run', () => {
    const directory = mkdtempSync(join(tmpdir(), 'kdr-fresh-'))
    copyFileSync(kdr, join(directory, 'kdr'))

    const { status, stderr } = spawnSync(join(directory, 'kdr'), ['--help'], { encoding: 'utf8' })

    assert.equal(status, 2)
    assert.match(stderr, /run `make deps`/)
  })

  test('everything is written before it ends, into a slow pipe too', () => {
    const { status, stdout } = spawnSync('/bin/sh', ['-c', `"${kdr}" config schema | { sleep 0.2; cat; }`], {
      encoding: 'utf8',
    })

    assert.equal(status, 0)
    assert.doesNotThrow(() => JSON.parse(stdout) as unknown)
  })

  test('a reader that has seen enough is no error', () => {
    const { stderr } = spawnSync('/bin/sh', ['-c', `"${kdr}" config schema | head -n 1`], {
      encoding: 'utf8',
    })

    assert.equal(stderr, '')
  })

  test('Ctrl-C ends a command that waits, with 130', async () => {
    // A broker that accepts connections and never answers.
    const silent = createServer()
    silent.listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const address = silent.address()
    assert.ok(typeof address === 'object' && address !== null)
    const child = spawn(kdr, ['init', '--from', `127.0.0.1:${address.port}`, '--dry-run'], {
      stdio: 'ignore',
    })
    await once(silent, 'connection')

    child.kill('SIGINT')

    assert.deepEqual(await once(child, 'exit'), [130, null])
    silent.close()
  })
})
