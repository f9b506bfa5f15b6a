// What deploy/Containerfile does, step by step and without a container: its build stage in an empty folder, then what the images take
// from it, started as they start it. What only an engine can show (base images, the user, a disk that cannot be written) is not seen here.
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { kdrVersion } from '../src/wiring/version.ts'
import { suite } from './support/suite.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const skip = suite === 'short' && 'in make test-full: it installs and compiles as for a release'

type Step = { readonly name: string; readonly rest: string }
const stages = readFileSync(join(root, 'deploy/Containerfile'), 'utf8')
  .split(/^(?=FROM )/m)
  .slice(1)
  .map(stage =>
    stage
      .split('\n')
      .filter(line => /^[A-Z]+ /.test(line))
      .map((line): Step => {
        const [name = '', ...rest] = line.split(' ')
        return { name, rest: rest.join(' ') }
      }),
  )

describe('deploy/Containerfile, by hand', { skip, timeout: 600_000 }, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'kdr-container-'))
  after(() => rmSync(scratch, { recursive: true, force: true }))
  const build = join(scratch, 'src')
  const app = join(scratch, 'app')
  /** Into a folder that ends with a slash, a file keeps its name; a folder's content is copied. */
  const copy = (from: readonly string[], base: string, to: string): void => {
    for (const path of from) {
      const source = join(base, path)
      cpSync(source, to.endsWith('/') ? join(to, basename(path)) : to, { recursive: true })
    }
  }

  before(() => {
    for (const dir of [build, app]) mkdirSync(dir)
    for (const { name, rest } of stages[0]!) {
      if (name === 'COPY') {
        const words = rest.split(' ')
        const to = words.pop()!
        copy(words, root, to.endsWith('/') ? `${join(build, to)}/` : join(build, to))
      }
      if (name === 'RUN')
        execFileSync('/bin/sh', ['-ec', rest], { cwd: build, stdio: 'pipe', encoding: 'utf8' })
    }
    for (const { name, rest } of stages[1]!) {
      if (name !== 'COPY') continue
      const [from, path, to = ''] = rest.split(' ')
      assert.equal(from, '--from=build')
      assert.match(path ?? '', /^\/src\//)
      const into = to.endsWith('/') ? `${join(app, to)}/` : join(app, to)
      copy([path!.slice('/src/'.length)], build, into)
    }
  })

  /** As the image starts it: its entry point, with this Node for its own. */
  const start = (index: number, ...args: readonly string[]) => {
    const [, ...flags] = JSON.parse(
      stages[index]!.find(({ name }) => name === 'ENTRYPOINT')!.rest,
    ) as string[]
    const own = flags.map(each => each.replace(/^\/app\//, `${app}/`))
    return spawnSync(process.execPath, [...own, ...args], { cwd: scratch, encoding: 'utf8', timeout: 60_000 })
  }

  test('both images copy the same', () => {
    const copies = (stage: readonly Step[]) => stage.filter(({ name }) => name === 'COPY')
    assert.deepEqual(copies(stages[2]!), copies(stages[1]!))
  })

  test('what is left of the modules is what kdr runs with', () => {
    const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      readonly devDependencies: Readonly<Record<string, string>>
    }
    assert.deepEqual(readdirSync(app).toSorted(), ['dist', 'node_modules', 'package.json'])
    assert.deepEqual(
      Object.keys(devDependencies).filter(name => existsSync(join(app, 'node_modules', name))),
      [],
    )
  })

  for (const index of [1, 2]) {
    test(`image ${index} says its version`, () => {
      const { status, stdout, stderr } = start(index, '--version')
      assert.deepEqual([status, stdout.trim(), stderr], [0, kdrVersion(), ''])
    })

    test(`image ${index} reads a config, opens clusters, and says what is wrong with them`, () => {
      const dir = join(scratch, `config-${index}`)
      mkdirSync(dir)
      const config = join(dir, 'kdr.yaml')
      assert.equal(start(index, 'init', '--config', config).status, 0)
      assert.ok('clusters' in (parse(readFileSync(config, 'utf8')) as object))
      const checked = start(index, 'config', 'check', '--config', config)
      assert.equal(checked.status, 0, checked.stderr)
      // Nobody listens there, in an image or outside of one.
      const status = start(index, 'status', '--config', config)
      assert.match(status.stdout + status.stderr, /cannot be reached/)
    })
  }
})
