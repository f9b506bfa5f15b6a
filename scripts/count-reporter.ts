// A reporter for node --test that counts single tests, not the groups around them, names those that failed, and says how long each
// file took.

type TestEvent = {
  readonly type: string
  readonly data?: {
    readonly name?: string
    readonly file?: string
    readonly duration_ms?: number
    readonly skip?: string | boolean
    readonly todo?: string | boolean
    readonly details?: { readonly type?: string }
  }
}

export default async function* count(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const counts = {
    passed: 0,
    failed: 0,
    skipped: 0,
    names: [] as string[],
    files: [] as [file: string, ms: number][],
  }
  for await (const { type, data } of source) {
    if (type === 'test:summary' && data?.file !== undefined)
      counts.files.push([data.file, data.duration_ms ?? 0])
    if (data?.details?.type === 'suite') continue
    if (type === 'test:pass') {
      if (data?.skip !== undefined || data?.todo !== undefined) counts.skipped++
      else counts.passed++
    } else if (type === 'test:fail') {
      counts.failed++
      counts.names.push(`${data?.name ?? '?'} (${data?.file ?? '?'})`)
    }
  }
  yield JSON.stringify(counts)
}
