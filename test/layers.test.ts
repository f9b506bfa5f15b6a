// The shape of the code, as a test: which layer may import what, and why. A rule that fails prints its reason; change the
// table together with the reason, not around it.

import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

type Rule = {
  /** Folders or files under src. */
  readonly layer: string
  /** Folders of src, packages, `node:x` or `node:*`. */
  readonly may: readonly string[]
  /** Only with `import type`. */
  readonly mayTypes?: readonly string[]
  readonly because: string
}

const RULES: readonly Rule[] = [
  {
    layer: 'model',
    may: ['model', 'node:buffer'],
    because: 'model is the vocabulary: it depends on nothing, so that everything may depend on it',
  },
  {
    layer: 'ports',
    may: ['model', 'ports'],
    because:
      'ports say what engines ask of the world, in words of the model; an adapter here would tie them to it',
  },
  {
    layer: 'engine',
    may: ['model', 'ports', 'OWN ENGINE', 'engine/log'],
    because:
      'an engine sees the world only through ports, or it cannot be simulated; engines never import each other (main.ts hands one to another), only `engine/log`, which is what all of them know of a log. What the bytes of a log mean (engine/log) is pure, and theirs in common',
  },
  {
    layer: 'state',
    may: ['model', 'ports', 'state'],
    because:
      'the durable memory of a link works on any Cluster: through ports, and without the engines that use it',
  },
  {
    layer: 'kafka',
    may: ['model', 'ports', 'kafka', '@platformatic/kafka', '@node-rs/crc32', 'node:*'],
    because: 'the adapter to real clusters knows ports, and nothing of engines, config or commands',
  },
  {
    layer: 'store',
    may: ['model', 'ports', 'store', 'node:*', '@aws-sdk/client-s3'],
    because:
      'where a vault keeps its objects: an adapter to folders and buckets, which knows nothing of what is in them',
  },
  {
    layer: 'vault',
    may: ['model', 'ports', 'vault', 'node:crypto', 'node:zlib', 'node:util'],
    because:
      'the format of a vault: bytes, hashes and the order of writes, over any store and without any engine; it takes time and chance as arguments',
  },
  {
    layer: 'config',
    may: ['model', 'config', 'yaml', 'zod', 'node:*'],
    because: 'the config is read at the edge into plain values; it knows no engine and no cluster',
  },
  {
    layer: 'api',
    may: ['model', 'ports', 'api', 'zod', 'node:http', 'node:crypto'],
    because:
      'what is served over HTTP gets what it says as an argument: it knows no engine, config or command; what the objects look like are schemas',
  },
  {
    layer: 'redirect',
    may: ['model', 'ports', 'redirect', 'node:*'],
    because:
      'the ways applications find the active cluster (DNS, commands, files) are adapters behind the port Redirect: they know no engine, and get plain settings instead of the config',
  },
  {
    layer: 'lab',
    may: ['model', 'ports', 'config', 'lab', '@platformatic/kafka', 'node:*'],
    because: 'the lab starts real brokers for tests and trials; the product must not need it',
  },
  {
    layer: 'demo',
    may: ['model', 'lab', 'demo', 'node:*'],
    because:
      'the demo is a user of the product: it runs `kdr run` as a process, and judges it with the clients of Kafka, never with code of kdr',
  },
  {
    layer: 'cli',
    may: ['model', 'ports', 'config', 'lab', 'demo', 'api', 'cli', 'commander', 'node:*'],
    mayTypes: ['engine'],
    because: 'commands get engines through App, so that their tests need none; main.ts wires the real ones',
  },
  {
    layer: 'wiring',
    may: [
      'model',
      'ports',
      'engine',
      'state',
      'kafka',
      'redirect',
      'store',
      'vault',
      'api',
      'config',
      'cli',
      'wiring',
      'node:*',
    ],
    because: 'the composition root, with main.ts: it knows everything, so that nothing else has to',
  },
]

/** What model and engine must take as an argument instead: time, chance, the process. */
const BANNED: readonly (readonly [what: string, expression: RegExp])[] = [
  ['Date.now', /\bDate\.now\b/],
  ['new Date()', /\bnew Date\(\s*\)/],
  ['performance', /\bperformance\.\w/],
  ['setTimeout', /\bsetTimeout\b/],
  ['setInterval', /\bsetInterval\b/],
  ['setImmediate', /\bsetImmediate\b/],
  ['Math.random', /\bMath\.random\b/],
  ['crypto.randomUUID', /\brandom(UUID|Bytes|Int)\b/],
  ['process', /\bprocess\.\w/],
  ['console', /\bconsole\.\w/],
]

const MAX_LINES = 400

type Source = { readonly path: string; readonly text: string; readonly imports: readonly Import[] }
type Import = { readonly from: string; readonly isType: boolean }

const sources: readonly Source[] = globSync('src/**/*.ts', { cwd: root })
  .sort()
  .map(path => {
    const text = readFileSync(join(root, path), 'utf8')
    return { path, text, imports: importsOf(text) }
  })
const shipped = sources.filter(({ path }) => !path.endsWith('.test.ts'))

describe('layers', () => {
  test('every folder of src has a rule', () => {
    const folders = new Set(
      sources.map(({ path }) => path.split('/')[1] ?? '').filter(part => !part.endsWith('.ts')),
    )
    const ruled = new Set(RULES.map(({ layer }) => layer))
    assert.deepEqual(
      [...folders].filter(folder => !ruled.has(folder)),
      [],
      'give the new layer a rule in this table',
    )
  })

  for (const rule of RULES) {
    test(`${rule.layer} imports ${rule.may.join(', ')}`, () => {
      const wrong = shipped
        .filter(({ path }) => path.startsWith(`src/${rule.layer}/`))
        .flatMap(({ path, imports }) =>
          imports.filter(one => !isAllowed(rule, path, one)).map(({ from }) => `${path} imports "${from}"`),
        )
      assert.deepEqual(wrong, [], `${wrong.join('\n')}\nwhy not: ${rule.because}\n`)
    })
  }

  test('model, engine and vault take time, chance and the process as arguments', () => {
    const wrong = shipped
      .filter(({ path }) => /^src\/(model|engine|vault)\//.test(path))
      .flatMap(({ path, text }) => {
        const code = withoutComments(text)
        return BANNED.filter(([, expression]) => expression.test(code)).map(
          ([what]) => `${path} uses ${what}`,
        )
      })
    assert.deepEqual(
      wrong,
      [],
      `${wrong.join('\n')}\nwhy not: a simulator must own them; see src/ports/clock.ts\n`,
    )
  })

  test(`no file has more than ${MAX_LINES} lines, unless its header says why (\`long: because ...\`)`, () => {
    const wrong = sources
      .filter(
        ({ text }) =>
          text.split('\n').length > MAX_LINES && !/^(\/\/.*\n)*\/\/.*\blong: because \S/.test(text),
      )
      .map(({ path, text }) => `${path}: ${text.split('\n').length}`)
    assert.deepEqual(
      wrong,
      [],
      `${wrong.join('\n')}\nwhy not: the long file is where the hardest state hides\n`,
    )
  })

  test('no file names a path of the machine it was written on', () => {
    const files = globSync(
      ['src/**/*', 'test/**/*.ts', 'scripts/**/*', 'bench/**/*.ts', 'docs/**/*.md', '*.md', 'Makefile'],
      {
        cwd: root,
        withFileTypes: true,
      },
    )
    const wrong = files
      .filter(entry => entry.isFile())
      .map(entry => join(entry.parentPath, entry.name))
      .filter(path => /(^|[\s"'`(=:])\/(work|home|root|Users)\/\w/m.test(readFileSync(path, 'utf8')))
    assert.deepEqual(wrong, [], 'a path of one machine works on no other')
  })
})

function isAllowed(rule: Rule, path: string, { from, isType }: Import): boolean {
  const target = targetOf(path, from)
  const fits = (allowed: string) => {
    if (allowed === 'OWN ENGINE') return target.startsWith(`${path.split('/').slice(0, 3).join('/')}/`)
    if (allowed.endsWith('*')) return target.startsWith(allowed.slice(0, -1))
    return target === allowed || target.startsWith(`src/${allowed}/`)
  }
  return rule.may.some(fits) || (isType && (rule.mayTypes ?? []).some(fits))
}

/** A path from the root, or the name of a package. */
function targetOf(path: string, from: string): string {
  if (from.startsWith('.')) return normalize(join(dirname(path), from))
  return from
}

function importsOf(text: string): Import[] {
  const code = withoutComments(text)
  const fixed = [
    ...code.matchAll(/^\s*(?:import|export)\s+(type\s)?(?:[^'"`;]*?\sfrom\s+)?['"]([^'"]+)['"]/gm),
  ]
  const lazy = [...code.matchAll(/\bimport\(\s*['"]([^'"]+)['"]/g)]
  return [
    ...fixed.map(([, type, from]) => ({ from: from ?? '', isType: type !== undefined })),
    ...lazy.map(([, from]) => ({ from: from ?? '', isType: false })),
  ]
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1')
}
