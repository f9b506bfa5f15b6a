// Numbers as people read them. JSON output never goes through here: there, counts are numbers and durations ms.

const THIN = '\u202f'

/** `1 234 567`, with narrow spaces that do not break. */
export function formatCount(count: number | bigint): string {
  return String(count).replace(/\B(?=(\d{3})+(?!\d))/g, THIN)
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'] as const

/** Three digits that matter: `999 B`, `1.23 MB`, `45.6 GB`; powers of 1000. */
export function formatBytes(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000
    unit++
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2
  return `${value.toFixed(digits)} ${UNITS[unit] ?? ''}`
}

export function formatRate(bytes: number, ms: number): string {
  return ms > 0 ? `${formatBytes((bytes / ms) * 1000)}/s` : '-'
}

/** The two largest parts: `0 ms`, `850 ms`, `4.2 s`, `3m 05s`, `2h 10m`, `9d 04h`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`
  const seconds = Math.round(ms / 1000)
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes}m ${two(seconds % 60)}s`
  const hours = Math.floor(minutes / 60)
  return hours < 24 ? `${hours}h ${two(minutes % 60)}m` : `${Math.floor(hours / 24)}d ${two(hours % 24)}h`
}

/** ISO 8601 UTC; `-` for an unknown time. */
export function formatTime(ms: number | undefined): string {
  return ms === undefined || ms < 0 ? '-' : new Date(ms).toISOString()
}

export function plural(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`
}

function two(value: number): string {
  return String(value).padStart(2, '0')
}

/** Of 0 to 1, as a percentage: never rounded up to all of it. */
export const formatShare = (ratio: number): string => `${Math.floor(ratio * 10_000) / 100} %`
