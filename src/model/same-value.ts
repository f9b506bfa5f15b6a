// Whether two values would be the same JSON, without making it: thousands of reports are compared every two seconds, and
// nearly all of them are the same.

/** Of what JSON can say. A field that is undefined counts as missing. */
export function isSameValue(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (!isObject(a) || !isObject(b)) return false
  // By number: the keys of an array as text would cost ten times as much.
  if (Array.isArray(a))
    return Array.isArray(b) && a.length === b.length && a.every((each, i) => isSameValue(each, b[i]))
  if (Array.isArray(b)) return false
  for (const key in a) if (a[key] !== b[key] && !isSameValue(a[key], b[key])) return false
  for (const key in b) if (b[key] !== undefined && a[key] === undefined) return false
  return true
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}
