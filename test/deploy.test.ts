// What stands in deploy/, held against what it names: the checkout, the config's own check, the server's paths, systemd.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parseAllDocuments } from 'yaml'
import { parseConfig } from '../src/config/index.ts'
import { kdrVersion } from '../src/wiring/version.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
/** What `./kdr` gives to Node. */
const NODE_FLAGS = /exec "\$node" (.+?) "\$here/.exec(read('kdr'))?.[1]?.split(' ') ?? []

describe('deploy/Containerfile', () => {
  const instructions = read('deploy/Containerfile')
    .split('\n')
    .filter(line => /^[A-Z]/.test(line))
    .map(line => {
      const [name = '', ...rest] = line.split(' ')
      return { name, rest: rest.join(' ') }
    })
  const stages = instructions.reduce<(typeof instructions)[]>((all, each) => {
    if (each.name === 'FROM') all.push([])
    all.at(-1)?.push(each)
    return all
  }, [])
  const of = (stage: typeof instructions, name: string): string[] =>
    stage.filter(each => each.name === name).map(({ rest }) => rest)

  test('is built on Node 24, the one of the checkout', () => {
    const { version } = JSON.parse(read('tools/node/package.json')) as { version: string }
    for (const [index, stage] of stages.entries()) {
      const [from = ''] = of(stage, 'FROM')
      assert.match(from, index === 2 ? /\/nodejs24-\S+:nonroot AS / : new RegExp(`/node:${version}-\\S+ AS `))
    }
    assert.equal(stages.length, 3)
  })

  test('copies what the checkout has', () => {
    const paths = of(stages[0]!, 'COPY').flatMap(rest => rest.split(' ').slice(0, -1))
    assert.deepEqual(
      paths.filter(path => !existsSync(join(root, path))),
      [],
    )
    assert.ok(paths.includes('src'))
  })

  for (const [index, name] of [
    [1, 'with a shell'],
    [2, 'without'],
  ] as const) {
    test(`${name}: not root, with the flags of ./kdr, and runs the daemon`, () => {
      const stage = stages[index]!
      const [entry = ''] = of(stage, 'ENTRYPOINT')
      const [, ...args] = JSON.parse(entry) as string[]

      assert.deepEqual(args, [...NODE_FLAGS, '/app/dist/main.js'])
      assert.ok(NODE_FLAGS.length > 0)
      assert.deepEqual(of(stage, 'USER'), ['65532:65532'])
      assert.deepEqual(JSON.parse(of(stage, 'CMD')[0] ?? ''), ['run', '--config', '/etc/kdr/kdr.yaml'])
      assert.deepEqual(
        of(stage, 'COPY').map(rest => rest.split(' ').at(-1)),
        ['./', 'node_modules', 'dist'],
      )
    })
  }
})

describe('deploy/systemd', () => {
  const unit = read('deploy/systemd/kdr.service')
  const analyze = (...args: readonly string[]) =>
    spawnSync('systemd-analyze', args, { encoding: 'utf8', timeout: 30_000 })
  const isMissing = analyze('--version').status !== 0
  const skip = isMissing && 'systemd is not installed'
  /** As it would be, with the program where it is here. */
  const installed = (text: string): string => {
    const path = join(mkdtempSync(join(tmpdir(), 'kdr-unit-')), 'kdr.service')
    writeFileSync(path, text.replaceAll('/usr/local/bin/kdr', join(root, 'kdr')))
    return path
  }

  test('the unit is one that systemd understands', { skip }, () => {
    const { status, stderr } = analyze('verify', '--man=no', installed(unit))
    assert.deepEqual([status, stderr], [0, ''])

    const wrong = analyze('verify', '--man=no', installed(unit.replace('ProtectSystem', 'ProtectSytsem')))
    assert.match(wrong.stderr, /ProtectSytsem/)
  })

  test('the unit is locked down', { skip }, () => {
    // In tenths of systemd's own measure, where 100 is a unit without any protection.
    const threshold = (tenths: number) =>
      analyze('security', '--offline=true', `--threshold=${tenths}`, installed(unit)).status
    assert.equal(threshold(20), 0)
    assert.notEqual(threshold(5), 0)
  })

  test('its user is made by systemd-sysusers', () => {
    const [, user = ''] = /^User=(.+)$/m.exec(unit) ?? []
    assert.match(read('deploy/systemd/kdr.sysusers'), new RegExp(`^u ${user} `))
  })
})

describe('deploy/kubernetes', () => {
  const text = read('deploy/kubernetes/kdr.yaml')
  const documents = parseAllDocuments(text)
  assert.ok(Array.isArray(documents))
  const objects = documents.map(document => {
    assert.deepEqual([...document.errors, ...document.warnings], [])
    return document.toJS() as KubernetesObject
  })
  const kind = (name: string): KubernetesObject => {
    const found = objects.filter(each => each.kind === name)
    assert.equal(found.length, 1, name)
    return found[0]!
  }
  const deployment = kind('Deployment')
  const pod = deployment.spec.template.spec
  const [container] = pod.containers
  assert.ok(container !== undefined)
  const config = parseConfig(kind('ConfigMap').data['kdr.yaml'] ?? '', '/etc/kdr/kdr.yaml')

  test('the config passes the check, and serves what the probes and the service ask for', () => {
    const [, port] = /:(\d+)$/.exec(config.server?.listen ?? '') ?? []
    const [metrics] = container.ports
    assert.equal(metrics?.containerPort, Number(port))
    assert.match(config.server?.listen ?? '', /^0\.0\.0\.0:/)
    for (const [probe, path] of [
      [container.livenessProbe, '/healthz'],
      [container.readinessProbe, '/readyz'],
    ] as const) {
      assert.deepEqual(probe.httpGet, { path, port: metrics?.name })
      assert.ok(read('src/api/server.ts').includes(`case '${path}':`))
    }
    assert.equal(kind('Service').spec.ports[0]?.targetPort, metrics?.name)
  })

  test('every secret of the config is a file of the secret that the commands make', () => {
    const files = [...text.matchAll(/file:(\/[^ }]+)/g)].map(([, path]) => path!)
    const made = [...text.matchAll(/--from-file=(\S+)/g)].map(([, name]) => name!)
    const mount = container.volumeMounts.find(({ name }) => name === 'secrets')
    assert.ok(mount !== undefined && mount.subPath === undefined)
    assert.deepEqual(files.toSorted(), made.map(name => `${mount.mountPath}/${name}`).toSorted())
    const secret = pod.volumes[1]?.secret?.secretName ?? ''
    assert.ok(text.includes(`create secret generic ${secret} `))
    assert.equal(pod.volumes[0]?.configMap?.name, kind('ConfigMap').metadata.name)
    assert.deepEqual(
      container.volumeMounts.map(({ name }) => name),
      pod.volumes.map(({ name }) => name),
    )
  })

  test('may do as little as it can', () => {
    assert.deepEqual(container.securityContext, {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    })
    assert.equal(pod.securityContext['runAsNonRoot'], true)
    assert.deepEqual(pod.securityContext['seccompProfile'], { type: 'RuntimeDefault' })
    assert.equal(pod.automountServiceAccountToken, false)
    assert.equal(kind('ServiceAccount').automountServiceAccountToken, false)
    assert.ok(container.volumeMounts.every(({ readOnly }) => readOnly))
  })

  test('is the same thing everywhere: labels, the version, the arguments', () => {
    const labels = deployment.spec.selector.matchLabels
    assert.deepEqual(deployment.spec.template.metadata.labels, labels)
    assert.deepEqual(kind('PodDisruptionBudget').spec.selector.matchLabels, labels)
    assert.deepEqual(kind('Service').spec.selector, labels)
    assert.equal(container.image, `kdr:${kdrVersion()}`)
    assert.ok(read('deploy/Containerfile').includes(`-t kdr:${kdrVersion()} `))
    assert.ok(read('deploy/systemd/kdr.service').includes(`kafka-dr-${kdrVersion()}.tgz`))
    assert.deepEqual(container.args, ['run', '--config', '/etc/kdr/kdr.yaml'])
    assert.ok(deployment.spec.replicas > kind('PodDisruptionBudget').spec.maxUnavailable)
  })

  test('has longer to end than kdr takes', () => {
    const [, grace] = /SIGNAL_GRACE_MS = ([\d_]+)/.exec(read('src/main.ts')) ?? []
    const graceMs = Number(grace?.replaceAll('_', ''))
    assert.ok(pod.terminationGracePeriodSeconds * 1_000 > graceMs)
    const [, unit] = /TimeoutStopSec=(\d+)/.exec(read('deploy/systemd/kdr.service')) ?? []
    assert.ok(Number(unit) * 1_000 > graceMs)
  })
})

type Labels = Readonly<Record<string, string>>
type Probe = { readonly httpGet: { readonly path: string; readonly port: string } }
/** The parts that are looked at. */
type KubernetesObject = {
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly data: Labels
  readonly automountServiceAccountToken?: boolean
  readonly spec: {
    readonly replicas: number
    readonly maxUnavailable: number
    readonly selector: { readonly matchLabels: Labels }
    readonly ports: readonly { readonly targetPort: string }[]
    readonly template: { readonly metadata: { readonly labels: Labels }; readonly spec: PodSpec }
  }
}
type PodSpec = {
  readonly automountServiceAccountToken: boolean
  readonly terminationGracePeriodSeconds: number
  readonly securityContext: Readonly<Record<string, unknown>>
  readonly volumes: readonly {
    readonly name: string
    readonly configMap?: { readonly name: string }
    readonly secret?: { readonly secretName: string }
  }[]
  readonly containers: readonly {
    readonly image: string
    readonly args: readonly string[]
    readonly ports: readonly { readonly name: string; readonly containerPort: number }[]
    readonly livenessProbe: Probe
    readonly readinessProbe: Probe
    readonly securityContext: unknown
    readonly volumeMounts: readonly {
      readonly name: string
      readonly mountPath: string
      readonly subPath?: string
      readonly readOnly: boolean
    }[]
  }[]
}
