// The OpenAPI 3.1 document of what `kdr run` serves, made from the contract. Served at /api/openapi.json, and kept under docs/reference.
import { z } from 'zod'
import { type ApiPart, CONTRACT, NAMED } from './contract/contract.ts'
import { OPENAPI_PATH } from './server.ts'

const ABOUT: Readonly<Record<ApiPart, readonly [summary: string, description: string]>> = {
  clusters: [
    'the watched clusters',
    'Brokers, partitions and consumer groups as they were seen last; nobody is asked for it.',
  ],
  alerts: [
    'alerts that fire, and those that will if it lasts',
    'As the process that is asked knows them: of the links that it speaks for, of its sets and of itself. Nobody is asked for it.',
  ],
  status: [
    'where every link and every set stands',
    'What `kdr status --json` prints, as of now. Each look asks both clusters of every link; who asks meanwhile gets the same answer.',
  ],
  runs: ['all runs, newest first', 'What `kdr runs list --json` prints, as of now.'],
  check: [
    'whether everything would survive tonight',
    'What `kdr check --json` prints, at most a minute old; a look asks every broker and every vault, and one is under way at a time.',
  ],
  objectives: [
    'objectives, and what is measured',
    'Of each link the RPO now against the strictest objective that concerns it, and the RTO of the last run; of each set the age of its newest commit.',
  ],
}

type Json = { readonly [key: string]: unknown }

export function openApi(version: string): Json {
  const parts = Object.keys(CONTRACT) as ApiPart[]
  const schemas = schemasOf()
  return {
    openapi: '3.1.0',
    info: {
      title: 'kdr run',
      version,
      description:
        'What `kdr run` serves on `server.listen`: it only reads. With `server.token`, /api/* and /metrics ask for it. Offsets and counts are numbers, times ISO 8601 in UTC, durations milliseconds. Fields may be added: let those pass that you do not know.',
    },
    servers: [{ url: 'http://127.0.0.1:9464' }],
    security: [{}, { token: [] }],
    paths: {
      ...Object.fromEntries(parts.map(part => [`/api/${part}`, { get: operationOf(part) }])),
      [`/api/${OPENAPI_PATH}`]: {
        get: { operationId: 'openapi', summary: 'this document', responses: { 200: { description: 'It.' } } },
      },
      '/metrics': {
        get: {
          operationId: 'metrics',
          summary: 'metrics, as Prometheus reads them',
          responses: {
            200: { description: 'docs/reference/metrics.md has them.', content: { 'text/plain': {} } },
          },
        },
      },
      '/healthz': plain('healthz', 'whether the process lives'),
      '/readyz': plain('readyz', 'whether every link and set was looked at; 503 says what was not'),
    },
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
      schemas,
    },
  }
}

function operationOf(part: ApiPart): Json {
  const [summary, description] = ABOUT[part]
  const json = (name: string) => ({
    'application/json': { schema: { $ref: `#/components/schemas/${name}` } },
  })
  return {
    operationId: part,
    summary,
    description,
    responses: {
      200: { description: 'The object.', content: json(part) },
      401: { description: 'A token is needed.' },
      500: { description: 'A bug.', content: json('Error') },
      503: {
        description: 'It cannot be told: the error that the command would end with.',
        content: json('Error'),
      },
    },
  }
}

const plain = (operationId: string, summary: string): Json => ({
  get: {
    operationId,
    summary,
    security: [],
    responses: {
      200: { description: 'It is.' },
      ...(operationId === 'readyz' && { 503: { description: 'Not yet.' } }),
    },
  },
})

/** Readers must let pass what a later kdr adds; only tests are strict. */
function schemasOf(): Json {
  const registry = z.registry<{ id: string }>()
  for (const [id, schema] of Object.entries({ ...NAMED, ...CONTRACT })) registry.add(schema, { id })
  const { schemas } = z.toJSONSchema(registry, {
    uri: id => `#/components/schemas/${id}`,
    override: ({ jsonSchema }) => {
      if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties
    },
  })
  return Object.fromEntries(
    Object.entries(schemas).map(([name, { $schema: _draft, $id: _id, ...schema }]) => [name, schema]),
  )
}
