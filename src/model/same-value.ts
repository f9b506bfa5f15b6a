// Whether two values would be the same JSON, without making it: thousands of reports are compared every two seconds, and
// nearly all of them are the same.

/** Of what JSON can say. A field that is undefined counts as missing. */
export function isSameValue(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (!isObject(a) || !isObject(b) || Array.isArray(a) !== Array.isArray(b)) return false
  if (Array.isArray(a) && a.length !== b['length']) return false
  for (const key in a) if (!isSameValue(a[key], b[key])) return false
  for (const key in b) if (b[key] !== undefined && a[key] === undefined) return false
  return true
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}
