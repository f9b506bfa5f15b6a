// A reporter for node --test that counts single tests, not the groups around them, and names those that failed.

type TestEvent = {
  readonly type: string
  readonly data?: {
    readonly name?: string
    readonly file?: string
    readonly skip?: string | boolean
    readonly todo?: string | boolean
    readonly details?: { readonly type?: string }
  }
}

export default async function* count(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const counts = { passed: 0, failed: 0, skipped: 0, names: [] as string[] }
  for await (const { type, data } of source) {
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
