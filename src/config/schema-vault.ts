// An entry of `vaults:` in `kdr.yaml`: where backups are kept. What is not the URL is for buckets; their credentials are those of the
// AWS tools.
import { z } from 'zod'
import { text } from './values.ts'

const SCHEMES = ['file', 's3', 'azblob', 'gs']

const vaultUrl = z
  .string()
  .superRefine((value, context) => {
    const scheme = /^([a-z0-9]+):\/\//.exec(value)?.[1]
    if (scheme === undefined || !SCHEMES.includes(scheme))
      context.addIssue({
        code: 'custom',
        message: `"${value}" is not a vault's URL: write \`file:///path/to/the/vault\` or \`s3://bucket/prefix\``,
      })
  })
  .meta({
    description:
      '`file:///path/to/a/folder` or `s3://bucket/prefix`. (`azblob://` and `gs://` come with a later release.)',
  })

export const vault = z.strictObject({
  url: vaultUrl,
  region: text('').meta({ description: 'Of the bucket; else what the AWS tools are set to.' }).optional(),
  endpoint: z
    .url({ protocol: /^https?$/ })
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
})
