// Names of the DNS as the config writes them and as kdr compares them: in full, in lower case, with the dot at the end.

/** `Kafka.example` and `kafka.example.` are one name: `kafka.example.`. */
export function fullName(name: string): string {
  return `${name.toLowerCase().replace(/\.$/, '')}.`
}

/** `bootstrap` in `kafka.example.`; `@` is the zone itself; a name that ends with the zone's is full already. */
export function nameInZone(record: string, zone: string): string {
  const top = fullName(zone)
  if (record === '@') return top
  const full = fullName(record)
  return full.endsWith(`.${top}`) || full === top ? full : `${fullName(record)}${top}`
}

/** Why it cannot be a name, or undefined. 63 bytes a label and 255 in all are the DNS's own limits (RFC 1035, 2.3.4). */
export function dnsNameProblem(name: string): string | undefined {
  const labels = name.replace(/\.$/, '').split('.')
  const wrong = labels.find(label => !/^[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})$/.test(label))
  if (wrong === undefined) return name.length <= 253 ? undefined : `"${name}" is too long for a name`
  return wrong === '' ? `"${name}" has an empty part` : `"${wrong}" cannot be a part of a name`
}
