// What kdr is made with: each package of package.json with the reason for it, and all that those bring along, from package-lock.json.
// A package without a reason, or a reason without its package, is an error.
import { readFileSync } from 'node:fs'

const WHY: Readonly<Record<string, string>> = {
  '@aws-sdk/client-s3': 'vaults in buckets; loaded when one is used',
  '@node-rs/crc32': 'checksums of batches that are encoded anew, in native code',
  '@platformatic/kafka': 'connections, TLS, SASL, and codecs of the Kafka APIs',
  commander: 'commands and their options',
  yaml: 'the config, with the place of each value for messages',
  zod: 'the schema of the config, and the JSON Schema for editors',
  '@biomejs/biome': 'format of the code',
  '@grafana/schema': "Grafana's own types of a dashboard, for a test",
  '@kdr/node': 'the Node that runs a checkout; a folder of this repository',
  '@types/node': "types of Node's own modules",
  'fast-check': 'random inputs for tests',
  oxlint: 'lint',
  'oxlint-tsgolint': 'lint that knows types',
  typescript: 'types are checked with it, and the package is compiled',
}

type Package = {
  readonly version?: string
  readonly license?: string
  readonly dev?: boolean
  readonly link?: boolean
  /** Of a link: the folder. */
  readonly resolved?: string
}
type Manifest = {
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
}
type Lock = { readonly packages: Readonly<Record<string, Package>> }

/** `docs/reference/dependencies.md`. */
export function dependenciesPage(): string {
  const { dependencies, devDependencies } = read<Manifest>('package.json')
  const { packages } = read<Lock>('package-lock.json')
  const direct = [...Object.keys(dependencies), ...Object.keys(devDependencies)]
  const surplus = Object.keys(WHY).filter(name => !direct.includes(name))
  if (surplus.length > 0) throw new Error(`package.json has no ${surplus.join(', ')}`)
  const rows = (names: readonly string[]): string[] => [
    '| package | version | licence | for |',
    '|---|---|---|---|',
    ...names.map(name => {
      const entry = packages[`node_modules/${name}`]
      const { version = '', license = 'as kdr' } =
        (entry?.link === true ? packages[entry.resolved ?? ''] : entry) ?? {}
      return `| \`${name}\` | ${version} | ${license} | ${whyOf(name)} |`
    }),
  ]
  const brought = Object.entries(packages)
    .filter(([path, { dev, link }]) => path.startsWith('node_modules/') && dev !== true && link !== true)
    .map(([path, { license = 'none named' }]) => ({ name: nameOf(path), license }))
    .filter(({ name }) => !(name in dependencies))
  const byLicense = [...Map.groupBy(brought, ({ license }) => license)].toSorted(([a], [b]) =>
    a < b ? -1 : 1,
  )
  return [
    '# Dependencies',
    '',
    'Made by `make docs` from `package.json`, `package-lock.json` and `scripts/pages/dependencies.ts`. Versions are exact; the lock file has a checksum of each.',
    '',
    '## At run time',
    '',
    ...rows(Object.keys(dependencies)),
    '',
    'What they bring along, by licence (packages for other platforms included):',
    '',
    ...byLicense.map(
      ([license, some]) =>
        `- ${license}: ${[...new Set(some.map(({ name }) => `\`${name}\``))].toSorted().join(', ')}`,
    ),
    '',
    '## To build and test',
    '',
    ...rows(Object.keys(devDependencies)),
    '',
  ].join('\n')
}

function whyOf(name: string): string {
  const why = WHY[name]
  if (why === undefined) throw new Error(`say in scripts/pages/dependencies.ts what "${name}" is for`)
  return why
}

/** Of `node_modules/a/node_modules/@b/c`: `@b/c`. */
const nameOf = (path: string): string =>
  path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)

function read<Of>(file: string): Of {
  return JSON.parse(readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8')) as Of
}
