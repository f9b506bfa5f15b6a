// deploy/kubernetes/kdr.yaml, judged by a real API server: every field is one that it knows, every value one that it takes, and the pods
// are such as a namespace of the strictest kind lets in.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { isMap, parseAllDocuments, parseDocument } from 'yaml'
import { type Answer, ApiServer, isMissing } from '../support/api-server.ts'
import { suite } from '../support/suite.ts'

const skip = suite === 'short' ? 'in make test-full' : isMissing()
const NAMESPACE = 'restricted'
const APPLY = 'application/apply-patch+yaml'
const PATHS = {
  ConfigMap: '/api/v1/namespaces/restricted/configmaps',
  ServiceAccount: '/api/v1/namespaces/restricted/serviceaccounts',
  Service: '/api/v1/namespaces/restricted/services',
  Secret: '/api/v1/namespaces/restricted/secrets',
  Pod: '/api/v1/namespaces/restricted/pods',
  Deployment: '/apis/apps/v1/namespaces/restricted/deployments',
  PodDisruptionBudget: '/apis/policy/v1/namespaces/restricted/poddisruptionbudgets',
} as const
const pathOf = (kind: string): string => {
  assert.ok(kind in PATHS, kind)
  return PATHS[kind as keyof typeof PATHS]
}

const text = readFileSync(new URL('../../deploy/kubernetes/kdr.yaml', import.meta.url), 'utf8')
const documents = parseAllDocuments(text)
assert.ok(Array.isArray(documents))
type Manifest = {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly spec?: { readonly template: { readonly metadata: object; readonly spec: object } }
}
const manifests = documents.map(document => ({
  text: document.toString({ directives: false }),
  object: document.toJS() as Manifest,
}))
const deployment = manifests.find(({ object }) => object.kind === 'Deployment') ?? assert.fail()

describe('deploy/kubernetes, by an API server', { skip, concurrency: 1 }, () => {
  let server: ApiServer

  before(async () => {
    server = await ApiServer.start()
    const labels = Object.fromEntries(
      ['enforce', 'warn'].map(what => [`pod-security.kubernetes.io/${what}`, 'restricted']),
    )
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE, labels } }
    const made = await server.ask('POST', '/api/v1/namespaces', JSON.stringify(namespace), 'application/json')
    assert.equal(made.status, 201, made.body)
  })
  after(async () => await server?.stop())

  /** As `kubectl apply --server-side --validate=strict` does it. */
  const apply = async (
    { text: yaml, object: { kind, metadata } }: (typeof manifests)[number],
    isDry: boolean,
  ): Promise<Answer> => {
    const how = `fieldManager=test&fieldValidation=Strict${isDry ? '&dryRun=All' : ''}`
    return await server.ask('PATCH', `${pathOf(kind)}/${metadata.name}?${how}`, yaml, APPLY)
  }

  for (const isDry of [true, false])
    test(`${isDry ? 'a dry run' : 'the server'} takes each object, and warns of nothing`, async () => {
      assert.equal(manifests.length, 5)
      for (const manifest of manifests) {
        const { status, body, warnings } = await apply(manifest, isDry)
        assert.equal(status, 201, `${manifest.object.kind}: ${body}`)
        assert.deepEqual(warnings, [], manifest.object.kind)
      }
    })

  test('applied once more nothing changes: the server has it as it is written', async () => {
    for (const manifest of manifests) {
      const versionOf = ({ body }: Answer) =>
        (JSON.parse(body) as { metadata: { resourceVersion: string } }).metadata.resourceVersion
      const there = await server.ask(
        'GET',
        `${pathOf(manifest.object.kind)}/${manifest.object.metadata.name}`,
      )
      const again = await apply(manifest, false)
      assert.deepEqual([again.status, versionOf(again)], [200, versionOf(there)])
    }
  })

  test('the secret may have the keys that the commands give it', async () => {
    const names = [...text.matchAll(/--from-file=(\S+)/g)].map(([, name]) => name!)
    const data = Object.fromEntries(names.map(name => [name, Buffer.from('x').toString('base64')]))
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'kdr-secrets' }, data }
    const { status, body } = await server.ask(
      'POST',
      `${PATHS.Secret}?fieldValidation=Strict`,
      JSON.stringify(secret),
      'application/json',
    )
    assert.equal(status, 201, body)
  })

  const podWith = async (change: (yaml: ReturnType<typeof parseDocument>) => void): Promise<Answer> => {
    const { metadata, spec } = deployment.object.spec!.template
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, name: 'kdr' }, spec }
    const document = parseDocument(JSON.stringify(pod))
    assert.ok(isMap(document.contents))
    change(document)
    return await server.ask(
      'POST',
      `${PATHS.Pod}?dryRun=All&fieldValidation=Strict`,
      JSON.stringify(document.toJS()),
      'application/json',
    )
  }

  test('a pod of it is let into a namespace that restricts them most', async () => {
    const { status, body, warnings } = await podWith(() => {})
    assert.deepEqual([status, warnings], [201, []], body)
  })

  test('and with any of its restrictions less it is not', async () => {
    for (const path of [
      ['spec', 'securityContext', 'runAsNonRoot'],
      ['spec', 'securityContext', 'seccompProfile'],
      ['spec', 'containers', 0, 'securityContext', 'allowPrivilegeEscalation'],
      ['spec', 'containers', 0, 'securityContext', 'capabilities'],
    ]) {
      const { status, body } = await podWith(document => assert.ok(document.deleteIn(path)))
      assert.equal(status, 403, `${path.join('.')}: ${body}`)
      assert.match(body, /violates PodSecurity \\"restricted/)
    }
  })

  for (const [what, from, to, refused] of [
    ['a field that it does not know', 'enableServiceLinks:', 'enableServiceLink:', /enableServiceLink\b/],
    ['a value of another type', 'replicas: 3', 'replicas: three', /replicas/],
    [
      'a port that has no name',
      'port: metrics }\n            periodSeconds',
      'port: METRICS_PORT }\n            periodSeconds',
      /port/,
    ],
  ] as const)
    test(`it would have told of ${what}`, async () => {
      const [document] = text.split('---\n').filter(each => each.includes('kind: Deployment'))
      const yaml = document!.replace(from, to)
      assert.notEqual(yaml, document)
      const { status, body } = await apply({ ...deployment, text: yaml }, true)
      assert.ok([400, 422, 500].includes(status), `${status} ${body}`)
      assert.match(body, refused)
    })
})
