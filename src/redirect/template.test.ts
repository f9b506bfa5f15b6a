import assert from 'node:assert/strict'
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { RunFacts } from '../ports/outside.ts'
import { render, TemplateRedirect } from './template.ts'

const FACTS: RunFacts = {
  run: 'r-1',
  kind: 'switchover',
  link: 'east-west',
  active: 'east',
  standby: 'west',
  bootstrap: 'west-1:9092,west-2:9092',
  generation: 4,
}

function setUp({ old, mode = 0o640 }: { old?: string; mode?: number } = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'kdr-template-'))
  const [from, to] = [join(directory, 'app.tmpl'), join(directory, 'app.properties')]
  writeFileSync(
    from,
    'bootstrap.servers={{bootstrap}}\n# {{ standby }} by {{run}}, generation {{generation}}\n',
  )
  chmodSync(from, 0o600)
  if (old !== undefined) {
    writeFileSync(to, old)
    chmodSync(to, mode)
  }
  const names = () => readdirSync(directory).sort()
  return { directory, from, to, names, redirect: new TemplateRedirect({ from, to }) }
}

const NEW = 'bootstrap.servers=west-1:9092,west-2:9092\n# west by r-1, generation 4\n'
const modeOf = (path: string) => statSync(path).mode & 0o777

describe('template', () => {
  test('is written in place of the old file, with its mode; the old one is kept, and comes back', async () => {
    const { to, names, redirect } = setUp({ old: 'old\n' })
    assert.equal(await redirect.isApplied(FACTS), false)
    await assert.rejects(redirect.verify(FACTS), { code: 'not-ready' })

    await redirect.apply(FACTS)
    await redirect.apply(FACTS)

    assert.equal(readFileSync(to, 'utf8'), NEW)
    assert.equal(modeOf(to), 0o640)
    assert.equal(readFileSync(`${to}.kdr-before-r-1`, 'utf8'), 'old\n')
    assert.equal(modeOf(`${to}.kdr-before-r-1`), 0o640)
    assert.equal(await redirect.isApplied(FACTS), true)
    await redirect.verify(FACTS)

    await redirect.undo(FACTS)
    await redirect.undo(FACTS)

    assert.equal(readFileSync(to, 'utf8'), 'old\n')
    assert.equal(modeOf(to), 0o640)
    assert.deepEqual(names(), ['app.properties', 'app.tmpl'])
  })

  test('a file that was not there is made with the mode of the template, and taken away again', async () => {
    const { to, names, redirect } = setUp()

    await redirect.apply(FACTS)
    assert.equal(readFileSync(to, 'utf8'), NEW)
    assert.equal(modeOf(to), 0o600)

    await redirect.undo(FACTS)
    assert.deepEqual(names(), ['app.tmpl'])
  })

  test('after a stop between the two writes, the old file is still the one that is kept', async () => {
    const { to, redirect } = setUp({ old: 'half\n' })
    writeFileSync(`${to}.kdr-before-r-1`, 'old\n')

    await redirect.apply(FACTS)
    await redirect.undo(FACTS)

    assert.equal(readFileSync(to, 'utf8'), 'old\n')
  })

  test('what somebody has written since is not thrown away', async () => {
    const { to, redirect } = setUp({ old: 'old\n' })
    await redirect.apply(FACTS)
    writeFileSync(to, 'by hand\n')

    await assert.rejects(redirect.undo(FACTS), { code: 'not-ready', message: /has been changed since/ })
    assert.equal(readFileSync(to, 'utf8'), 'by hand\n')
  })

  test('a run that has not written it has nothing to undo, unless the kept file is gone', async () => {
    const { to, redirect } = setUp({ old: 'old\n' })
    await redirect.undo(FACTS)
    assert.equal(readFileSync(to, 'utf8'), 'old\n')

    writeFileSync(to, NEW)
    await assert.rejects(redirect.undo(FACTS), {
      code: 'not-ready',
      message: /there is no ".*kdr-before-r-1"/,
    })
  })

  test('a link to the file stays a link', async () => {
    const { directory, from, to } = setUp({ old: 'old\n' })
    const link = join(directory, 'current')
    symlinkSync(to, link)

    await new TemplateRedirect({ from, to: link }).apply(FACTS)

    assert.equal(readFileSync(to, 'utf8'), NEW)
    assert.equal(readFileSync(link, 'utf8'), NEW)
    assert.ok(existsSync(`${to}.kdr-before-r-1`))
  })

  test('an unknown placeholder is named with its line, and nothing is written', async () => {
    const { from, to, redirect } = setUp({ old: 'old\n' })
    writeFileSync(from, 'a\nb={{bootstraps}}\n')

    await assert.rejects(redirect.apply(FACTS), {
      code: 'config-invalid',
      message: `"${from}:2": there is no placeholder \`{{bootstraps}}\``,
    })
    assert.equal(readFileSync(to, 'utf8'), 'old\n')
    assert.throws(() => render('{{password}}', FACTS, 'x'), { hint: /`\{\{bootstrap\}\}`/ })
  })

  test('a template that is missing, and a folder that is, are named', async () => {
    const { directory, from } = setUp()
    const to = join(directory, 'none', 'x')
    await assert.rejects(new TemplateRedirect({ from, to }).apply(FACTS), {
      code: 'not-ready',
      message: /ENOENT/,
    })
    const missing = new TemplateRedirect({ from: join(directory, 'none'), to: from })
    await assert.rejects(missing.apply(FACTS), { code: 'config-invalid', message: /there is no template/ })
  })
})
