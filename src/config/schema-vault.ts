// An entry of `vaults:` in `kdr.yaml`: where backups are kept. What is not the URL is for buckets; their credentials are those of the
// AWS tools.
import { z } from 'zod'
import { withoutCredentials } from '../model/hidden.ts'
import { refuseCredentials, text } from './values.ts'

const SCHEMES = ['file', 's3', 'azblob', 'gs']

const vaultUrl = z
  .string()
  .superRefine((value, context) => {
    const scheme = /^([a-z0-9]+):\/\//.exec(value)?.[1]
    if (scheme === undefined || !SCHEMES.includes(scheme))
      context.addIssue({
        code: 'custom',
        message: `"${withoutCredentials(value)}" is not a vault's URL: write \`file:///path/to/the/vault\` or \`s3://bucket/prefix\``,
      })
  })
  .superRefine(refuseCredentials)
  .meta({
    description:
      '`file:///path/to/a/folder` or `s3://bucket/prefix`. (`azblob://` and `gs://` come with a later release.)',
  })

export const keep = z
  .strictObject({
    days: z
      .number()
      .positive()
      .meta({ description: 'Every moment of so many days stays restorable.' })
      .optional(),
    prune: z
      .enum(['by-hand', 'auto'], { error: 'expected `by-hand` or `auto`' })
      .meta({
        description:
          '`auto`: `kdr run` drops what is older than the days, once a day, by the plan and with the refusals of `kdr backup prune`; it needs `verify:` of at most 7d.',
      })
      .prefault('by-hand'),
  })
  .meta({ description: 'What a prune leaves. Without it nothing is ever deleted.' })

export const vault = z.strictObject({
  url: vaultUrl,
  region: text('').meta({ description: 'Of the bucket; else what the AWS tools are set to.' }).optional(),
  endpoint: z
    .url({ protocol: /^https?$/ })
    .superRefine(refuseCredentials)
    .meta({ description: "Of another service than Amazon's, such as `https://minio.example:9000`." })
    .optional(),
  pathStyle: z
    .boolean()
    .meta({
      description: '`https://host/bucket/` instead of `https://bucket.host/`: most other services need it.',
    })
    .optional(),
  encryption: z
    .enum(['AES256', 'aws:kms'])
    .meta({ description: 'By the service; else as the bucket is set.' })
    .optional(),
  kmsKey: text('')
    .meta({ description: 'With `aws:kms`: the id or ARN of the key; else the default one of the account.' })
    .optional(),
  lock: z
    .strictObject({
      mode: z.enum(['governance', 'compliance']).meta({
        description:
          '`governance`: who has the right to bypass it may still delete; `compliance`: nobody may, the account that owns the bucket included.',
      }),
      days: z
        .number({ error: 'expected a number of days' })
        .positive({ error: 'must be more than 0' })
        .max(36_500, { error: 'must be at most 36500' })
        .meta({ description: 'Counted anew by each commit, for all that it needs.' }),
    })
    .meta({
      description:
        'Object lock: what a commit needs cannot be deleted for so long. The bucket must have been made with object lock.',
    })
    .optional(),
})
